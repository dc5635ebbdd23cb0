import { basename, join } from 'node:path'
import Postgrator from 'postgrator'
import postgres from 'postgres'
import type { Schema } from './provision.ts'

/**
 * Brings a schema to the newest version, or to `target`, as its owner: plain SQL files, forward only, one replica at a time.
 * Gives the names of the migrations that it ran. Throws where a migration that ran before was changed since.
 */
export async function migrate(ownerUrl: string, schema: Schema, target?: number): Promise<string[]> {
  const sql = postgres(ownerUrl, {
    max: 1,
    onnotice: () => {},
    connection: { application_name: `migrate ${schema}` }
  })
  try {
    // an advisory lock of the session: whoever comes second waits, and then finds the work done
    await sql`select pg_advisory_lock(hashtext(${`migrate ${schema}`}))`
    const postgrator = new Postgrator({
      driver: 'pg',
      database: new URL(ownerUrl).pathname.slice(1),
      migrationPattern: join(import.meta.dir, '..', '..', 'services', schema, 'migrations', '*.sql'),
      schemaTable: 'schema_version',
      currentSchema: schema,
      validateChecksums: true,
      execQuery: async (query: string) => ({ rows: [...(await sql.unsafe(query))] }),
      execSqlScript: (script: string) => runPatiently(sql, schema, script)
    })
    return (await postgrator.migrate(target === undefined ? undefined : String(target))).map(({ filename }) => basename(filename))
  } catch (error) {
    throw new Error(`The migrations of ${schema} cannot go on: ${error instanceof Error ? error.message : error}`, { cause: error })
  } finally {
    await sql.end({ timeout: 5 })
  }
}

/** So long may a migration wait for a table, since everybody who comes after it waits as well; then it steps back and tries again. */
const LOCK_TIMEOUT = '2s'
const TRIES = 30
const PAUSE_MS = 1_000
const LOCK_NOT_AVAILABLE = '55P03'

async function runPatiently(sql: postgres.Sql, schema: Schema, script: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      // the library leaves the schema alone on the path; operator classes stand in `extensions`
      await sql.begin((tx) =>
        tx.unsafe(`set local search_path = ${schema}, extensions; set local lock_timeout = '${LOCK_TIMEOUT}';\n${script}`)
      )
      return
    } catch (error) {
      if ((error as { code?: string }).code !== LOCK_NOT_AVAILABLE || attempt === TRIES) throw error
      await Bun.sleep(PAUSE_MS)
    }
  }
}

if (import.meta.main) {
  const schema = process.argv[2] as Schema
  const ran = await migrate(process.env.MIGRATION_DATABASE_URL ?? '', schema)
  console.log(ran.length > 0 ? `${schema}: ran ${ran.length} migrations` : `${schema}: up to date`)
}
