import postgres from 'postgres'
import SQL, { type SQLStatement } from 'sql-template-strings'
import { isCode, Problem } from '../http/problem.ts'
import { log } from '../setup/log.ts'
import { counter, fromZero, gauge } from '../setup/metrics.ts'

/** A pool of connections. */
export type Sql = postgres.Sql<{ bigint: number }>
/** A pool or a transaction: whatever can run a statement. */
export type Db = Sql | postgres.TransactionSql<{ bigint: number }>

type Options = { name: string; max?: number; statementTimeoutMs?: number }

const poolSize = gauge('database_pool_size', 'Connections that the pool may open', [])
const demand = gauge('database_demand', 'Statements and transactions that hold a connection or wait for one', [])
const retries = fromZero(counter('database_retries_total', 'Transactions tried again, by SQLSTATE: 40P01 is a deadlock', ['sqlstate']), {
  sqlstate: '40P01'
})

/**
 * Opens a pool. Dates stay `YYYY-MM-DD` strings, `bigint` becomes a number, columns arrive in camelCase. Every wait is bounded.
 * Behind a pooler in transaction mode the URL bears `?direct=host:port`, the server itself, since one who listens needs a connection of his own,
 * and `prepare=false` where the pooler keeps no prepared statements.
 */
export function connect(url: string, options: Options): Sql {
  poolSize.set({}, options.max ?? 10)
  const address = new URL(url)
  const direct = address.searchParams.get('direct')
  address.searchParams.delete('direct')
  const pool = open(address, options)
  if (!direct) return pool
  const server = new URL(address)
  server.host = direct
  const listener = open(server, { ...options, max: 1 })
  const end = pool.end
  return Object.assign(pool, {
    listen: listener.listen,
    end: async (how?: { timeout?: number }) => void (await Promise.all([end(how), listener.end(how)]))
  })
}

function open(address: URL, { name, max = 10, statementTimeoutMs = 10_000 }: Options): Sql {
  const pool = postgres(address.href, {
    max,
    idle_timeout: 300,
    connect_timeout: 5,
    onnotice: () => {},
    transform: { column: { from: postgres.toCamel } },
    types: {
      // a date is a day on a wall calendar: as a Date it would slip to the day before west of Greenwich
      date: { to: 1082, from: [1082], serialize: (day: string) => day, parse: (day: string) => day },
      bigint: { to: 20, from: [20], serialize: (value: number) => String(value), parse: Number }
    },
    connection: {
      application_name: name,
      // a date made from an instant is the day in UTC, whatever the server's own zone is
      TimeZone: 'UTC',
      statement_timeout: statementTimeoutMs,
      lock_timeout: 5_000,
      idle_in_transaction_session_timeout: 15_000
    }
  })
  return pool as unknown as Sql
}

/**
 * When a statement is planned. `once`: with the first calls of a connection, when its tables may have been empty, and the plan is kept until the next
 * `analyze`; right for whatever finds rows by the values it is given. `each time`: for joins and queues that must stay quick while a table grows from
 * nothing to a million rows within a minute; planning takes about as long as a short statement does.
 */
type How = { plan?: 'once' | 'each time' }

/** Runs one statement and types its rows: the only door from SQL text to TypeScript in this repository. */
export async function rows<Row extends object>(db: Db, statement: SQLStatement, how: How = {}): Promise<Row[]> {
  return [...(await send<Row>(db, statement, how))]
}

/** The first row, or undefined where there is none. */
export async function maybeOne<Row extends object>(db: Db, statement: SQLStatement): Promise<Row | undefined> {
  return (await rows<Row>(db, statement))[0]
}

/** The one row that must be there; throws where it is not. */
export async function one<Row extends object>(db: Db, statement: SQLStatement): Promise<Row> {
  const row = await maybeOne<Row>(db, statement)
  if (!row) throw new Error('a statement that always answers a row answered none')
  return row
}

/** Runs a statement for its effect and tells how many rows it touched. */
export async function run(db: Db, statement: SQLStatement, how: How = {}): Promise<number> {
  return (await send(db, statement, how)).count
}

/** A pool counts what it is asked for; inside a transaction the connection is counted already. */
async function send<Row extends object>(db: Db, { text, values }: SQLStatement, { plan = 'once' }: How = {}) {
  const isPool = 'begin' in db
  if (isPool) demand.inc()
  try {
    return await db.unsafe<Row[]>(text, values as postgres.ParameterOrJSON<never>[], { prepare: plan === 'once' })
  } finally {
    if (isPool) demand.dec()
  }
}

type AfterCommit = (sql: Sql) => void
const afterwards = new WeakMap<object, AfterCommit[]>()

/** Does something once the transaction is committed, and not at all where it is not; outside of one at once. It is given the pool. */
export function afterCommit(db: Db, work: AfterCommit): void {
  const works = afterwards.get(db)
  if (works) works.push(work)
  else if ('begin' in db) work(db)
}

const RETRIES = 4
const retryable = new Set(['40001', '40P01'])

/**
 * Runs `work` in a transaction, again where the database asked for it (serialization failure, deadlock). Inside a transaction it joins that one.
 * A violated constraint that bears a problem's code is thrown as that problem.
 */
export async function transaction<T>(db: Db, work: (tx: Db) => Promise<T>): Promise<T> {
  if (!('begin' in db)) return work(db)
  for (let attempt = 1; ; attempt++) {
    demand.inc()
    try {
      const works: AfterCommit[] = []
      const result = (await db.begin((tx) => {
        afterwards.set(tx, works)
        return work(tx)
      })) as T
      for (const then of works) then(db)
      return result
    } catch (error) {
      if (!isPostgresError(error) || !retryable.has(error.code) || attempt === RETRIES) throw asProblem(error)
      retries.inc({ sqlstate: error.code })
      log.warn({ code: error.code, attempt }, 'transaction tried again')
    } finally {
      demand.dec()
    }
    await Bun.sleep(Math.random() * 10 * 2 ** attempt)
  }
}

/**
 * Runs a statement that takes work from a table that serves as a queue, or marks it as done, in a transaction of its own. Rows are read in the order of
 * their index, which forgets the entries of rows that have left the queue as it meets them; a bitmap would read them all, again and again. And the
 * commit does not wait for the disk: only what a crash of the database undoes without harm belongs here, such as work that may be done once more.
 */
export const inQueue = <Row extends object>(sql: Sql, statement: SQLStatement): Promise<Row[]> =>
  transaction(sql, async (tx) => {
    const settings = SQL`select set_config('enable_bitmapscan', 'off', true), set_config('synchronous_commit', 'off', true)`
    const [, found] = await Promise.all([run(tx, settings), rows<Row>(tx, statement, { plan: 'each time' })])
    return found
  })

/** Whether the database itself refused, so that its SQLSTATE may be asked. */
export const isPostgresError = (error: unknown): error is postgres.PostgresError => error instanceof Error && error.name === 'PostgresError'

/** What the driver, the network and PostgreSQL itself say of a database that is away: it starts, stops, or has no place left. */
const away = /^(CONNECTION_\w+|CONNECT_TIMEOUT|ECONNREFUSED|ECONNRESET|ENOTFOUND|08\w{3}|57P0[123]|53300)$/

/** Whether the database could not be reached, so that the same may go well later. */
export const isAway = (error: unknown): boolean => away.test(String((error as { code?: unknown } | null)?.code))

/** Whether a value that was sent is none that the database takes: out of range, malformed, or text that it cannot store. No further try mends it. */
export const isBadValue = (error: unknown): boolean => isPostgresError(error) && error.code.startsWith('22')

/**
 * Whether one of several items may be the cause, through its values or through code that stumbled over it. A database that is away, busy or told to stop
 * fails for each of them alike.
 */
export const isOfOneItem = (error: unknown): boolean => (isPostgresError(error) ? /^(22|23|P0)/.test(error.code) : !isAway(error))

/** The problem that a violated constraint is named after, else the error as it was. */
export const asProblem = (error: unknown): unknown =>
  isPostgresError(error) && isCode(error.constraint_name) ? new Problem(error.constraint_name) : error
