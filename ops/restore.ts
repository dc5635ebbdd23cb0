import { createReadStream, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import SQL from 'sql-template-strings'
import { connect, type Db, one, rows, run, type Sql } from '#platform/data/db'
import { migrate } from '#platform/data/migrate'
import { type Passwords, provision, roles, roleUrl, type Schema, schemas } from '#platform/data/provision'
import { missingPasswords } from '#platform/setup/prepare-settings'
import { SettingsError } from '#platform/setup/settings'
import { check, type Manifest } from './backup.ts'
import type { Place } from './place.ts'
import { republishEvents } from './republish-events.ts'
import { nameOf, tablesOf } from './tables.ts'

/** What was kept from leaving twice. */
type Held = { mailsHeld: number; remindersDropped: number }
/** What came back. `republished` events were on their way when the backup was made; `needsUsers` says that auth has to tell everybody's state anew. */
export type Restored = Held & { manifest: Manifest; rows: number; republished: number; needsUsers: boolean }
/** Runs one step of a restore and may report it with a remark. */
export type Report = <T>(label: string, work: () => Promise<T>, remark?: (result: T) => string | undefined) => Promise<T>

const TABLE_MS = 3_600_000
const unreported: Report = (_, work) => work()

/**
 * Restores a backup into an empty database (made where it is missing), all of it or nothing: schemas at the versions of the backup, rows, and then the
 * newer migrations. No mail that may have left since the backup leaves again: they end as failed, from the moment that they are back, and an
 * administrator may send them. Throws where the database holds anything (before anything is changed), where the backup is damaged, a role's password is
 * not known, or a newer migration fails (with how to go on).
 */
export async function restore(place: Place, folder: string, now: Temporal.Instant, report = unreported): Promise<Restored> {
  const { manifest, result: held } = await loadBackup(place, folder, (tx) => holdMails(tx, now), report)
  const ran = () => Promise.all(schemas.map((schema) => migrate(ownerUrl(place, schema), schema))).catch(saysHowToGoOn)
  await report('Newer migrations', ran, (all) => `${all.flat().length} run`)
  // of a backup from before there was such a table, the restore is noted only now
  await onDatabase(place, (sql) => noteRestore(sql, now))
  const republish = () => republishEvents(place)
  const { events, needsUsers } = await report('Events that were on their way', republish, ({ events }) => `${events} leave again`)
  return { manifest, rows: manifest.tables.reduce((sum, { rows }) => sum + rows, 0), ...held, republished: events, needsUsers }
}

/** Loads the rows of a backup into an empty database whose schemas are of the backup's versions; `after` runs in the same transaction. */
export async function loadBackup<T>(
  place: Place,
  folder: string,
  after: (tx: Db) => Promise<T>,
  report = unreported
): Promise<{ manifest: Manifest; result: T }> {
  const manifest = await report(
    'Backup checked',
    () => readBackup(folder),
    ({ tables, at }) => `${tables.length} tables as of ${at}`
  )
  const passwords = passwordsOf(place)
  await refuseUsed(place)
  await report('Database, roles, schemas', async () => {
    await provision(place.adminUrl, { database: place.database, passwords })
    for (const schema of schemas) await migrate(ownerUrl(place, schema), schema, manifest.versions[schema])
  })
  const load = () =>
    onDatabase(place, (sql) =>
      sql.begin(async (tx) => {
        await tx.unsafe('set local idle_in_transaction_session_timeout = 0')
        await refuseFilled(tx)
        // what triggers write is in the backup itself
        await setTriggers(tx, manifest, 'disable')
        for (const table of manifest.tables) await loadTable(tx, folder, table)
        await setTriggers(tx, manifest, 'enable')
        await moveSequencesOn(tx)
        // with the rows themselves: a notifier that runs already finds nothing to send, whatever becomes of the migrations
        return after(tx)
      })
    )
  const rows = manifest.tables.reduce((sum, table) => sum + table.rows, 0)
  return { manifest, result: (await report('Rows', load, () => `${rows}`)) as T }
}

async function readBackup(folder: string): Promise<Manifest> {
  const file = join(folder, 'manifest.json')
  if (!existsSync(file)) throw new Error(`${folder} is not a backup: it has no manifest.json. \`bun run ops backup\` makes one.`)
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as Manifest
  await check(folder, manifest)
  return manifest
}

async function loadTable(tx: Db, folder: string, { file, rows, ...table }: Manifest['tables'][number]): Promise<void> {
  const columns = table.columns.map((name) => `"${name}"`).join(', ')
  const target = await tx.unsafe(`copy ${nameOf(table)} (${columns}) from stdin`).writable()
  await pipeline(createReadStream(join(folder, file)), createGunzip(), target)
  const { count } = await one<{ count: number }>(tx, SQL`select count(*) as count from `.append(nameOf(table)))
  if (count !== rows) throw new Error(`${nameOf(table)} has ${count} rows after the restore, the backup says ${rows}`)
}

const ownerUrl = ({ adminUrl, database, passwords }: Place, schema: Schema) =>
  roleUrl(adminUrl, database, `${schema}_owner`, passwords[`${schema}_owner`])

async function onDatabase<T>({ adminUrl, database }: Place, work: (sql: Sql) => Promise<T>): Promise<T> {
  const sql = connect(roleUrl(adminUrl, database), { name: 'ops restore', max: 1, statementTimeoutMs: TABLE_MS })
  try {
    return await work(sql)
  } finally {
    await sql.end({ timeout: 5 })
  }
}

/** Before anything is changed: making roles and schemas would already touch a system that runs there. */
async function refuseUsed({ adminUrl, database }: Place): Promise<void> {
  const there = await onDatabase({ adminUrl, database: new URL(adminUrl).pathname.slice(1) || 'postgres', passwords: {} }, (sql) =>
    rows(sql, SQL`select 1 from pg_database where datname = ${database}`)
  )
  if (there.length > 0) await onDatabase({ adminUrl, database, passwords: {} }, refuseFilled)
}

function saysHowToGoOn(cause: unknown): never {
  const why = cause instanceof Error ? cause.message : String(cause)
  throw new Error(
    `${why}\nThe rows are back all the same, and what waited to be mailed is held. Mend that, then run \`ops migrate up\` and \`ops quiet\` before the services start; the restore itself is done and need not be repeated.`,
    { cause }
  )
}

function passwordsOf({ passwords }: Place): Passwords {
  const missing = missingPasswords(roles, passwords)
  if (missing.length > 0) throw new SettingsError(missing)
  return passwords as Passwords
}

async function setTriggers(db: Db, { tables }: Manifest, state: 'enable' | 'disable'): Promise<void> {
  for (const table of tables) await run(db, SQL`alter table `.append(nameOf(table)).append(` ${state} trigger user`))
}

async function refuseFilled(db: Db): Promise<void> {
  for (const table of await tablesOf(db)) {
    const { filled } = await one<{ filled: boolean }>(db, SQL`select exists (select 1 from `.append(nameOf(table)).append(SQL`) as filled`))
    if (filled)
      throw new Error(
        `${nameOf(table)} is not empty: a backup is restored into an empty database only, and this one is in use. Nothing was changed. DATABASE_NAME names another; one that does not exist is made.`
      )
  }
}

/** Each identity column goes on after the highest number that came back. */
async function moveSequencesOn(db: Db): Promise<void> {
  await run(
    db,
    SQL`do $$ declare one record; begin
          for one in select n.nspname, c.relname, a.attname from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
                      where a.attidentity <> '' and n.nspname in ('auth', 'scheduling', 'notifier') loop
            execute format('select setval(pg_get_serial_sequence(%L, %L), coalesce((select max(%I) from %I.%I), 0) + 1, false)',
                           format('%I.%I', one.nspname, one.relname), one.attname, one.attname, one.nspname, one.relname);
          end loop;
        end $$`
  )
}

/** Does what `restore` does about mails in a database that was brought back by other means, such as PostgreSQL's own archive. */
export async function quiet({ adminUrl, database }: Place, now: Temporal.Instant): Promise<Held> {
  const sql = connect(roleUrl(adminUrl, database), { name: 'ops quiet', max: 1 })
  try {
    return (await sql.begin((tx) => holdMails(tx, now))) as Held
  } finally {
    await sql.end({ timeout: 5 })
  }
}

/** What may have left between the backup and now does not leave again: mails at hand, reminders that were due, and mails of events that came before now. */
async function holdMails(db: Db, now: Temporal.Instant): Promise<Held> {
  const at = new Date(now.epochMilliseconds)
  await run(db, SQL`set local search_path = notifier, extensions`)
  await noteRestore(db, now)
  const mailsHeld = await run(
    db,
    SQL`update notifier.mails set status = 'failed', lease_token = null, last_error = 'may have left before the restore'
         where status in ('pending', 'sending')`
  )
  const remindersDropped = await run(db, SQL`delete from notifier.reminders where due_at <= ${at}`)
  return { mailsHeld, remindersDropped }
}

/** From then on mails of what happened before are kept, and do not leave. */
async function noteRestore(db: Db, now: Temporal.Instant): Promise<void> {
  const { there } = await one<{ there: boolean }>(db, SQL`select to_regclass('notifier.restores') is not null as there`)
  if (there) await run(db, SQL`insert into notifier.restores (at) values (${new Date(now.epochMilliseconds)}) on conflict do nothing`)
}
