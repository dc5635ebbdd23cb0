import { createReadStream, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import SQL from 'sql-template-strings'
import { connect, type Db, one, run } from '#platform/db'
import { migrate } from '#platform/migrate'
import { missingPasswords } from '#platform/prepare-settings'
import { type Passwords, provision, roles, roleUrl, schemas } from '#platform/provision'
import { SettingsError } from '#platform/settings'
import { check, type Manifest } from './backup.ts'
import type { Place } from './place.ts'
import { nameOf, tablesOf } from './tables.ts'

/** What was kept from leaving twice. */
type Held = { mailsHeld: number; remindersDropped: number }
/** What came back. */
export type Restored = Held & { manifest: Manifest; rows: number }

const TABLE_MS = 3_600_000

/**
 * Brings a backup back into an empty database (made where it is missing), all of it or nothing: schemas at the versions of the backup, rows, and
 * then the newer migrations. No mail that may have left since the backup leaves again: they end as failed, from the moment that they are back, and an
 * administrator may send them. Throws where a newer migration fails, with how to go on, where the backup is damaged, a role's password is not known or the database holds people.
 */
export async function restore(place: Place, folder: string, now: Temporal.Instant): Promise<Restored> {
  const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Manifest
  await check(folder, manifest)
  const passwords = passwordsOf(place)
  await provision(place.adminUrl, { database: place.database, passwords })
  const ownerUrl = (schema: (typeof schemas)[number]) =>
    roleUrl(place.adminUrl, place.database, `${schema}_owner`, passwords[`${schema}_owner`])
  for (const schema of schemas) await migrate(ownerUrl(schema), schema, manifest.versions[schema])
  const sql = connect(roleUrl(place.adminUrl, place.database), { name: 'ops restore', max: 1, statementTimeoutMs: TABLE_MS })
  try {
    const held = (await sql.begin(async (tx) => {
      await tx.unsafe('set local idle_in_transaction_session_timeout = 0')
      await refuseFilled(tx)
      // what triggers write is in the backup itself
      await setTriggers(tx, manifest, 'disable')
      for (const { file, rows, ...table } of manifest.tables) {
        const columns = table.columns.map((name) => `"${name}"`).join(', ')
        const target = await tx.unsafe(`copy ${nameOf(table)} (${columns}) from stdin`).writable()
        await pipeline(createReadStream(join(folder, file)), createGunzip(), target)
        const { count } = await one<{ count: number }>(tx, SQL`select count(*) as count from `.append(nameOf(table)))
        if (count !== rows) throw new Error(`${nameOf(table)} has ${count} rows after the restore, the backup says ${rows}`)
      }
      await setTriggers(tx, manifest, 'enable')
      await moveSequencesOn(tx)
      // with the rows themselves: a notifier that runs already finds nothing to send, whatever becomes of the migrations
      return holdMails(tx, now)
    })) as Held
    for (const schema of schemas) await migrate(ownerUrl(schema), schema).catch(saysHowToGoOn)
    // of a backup from before there was such a table, the restore is noted only now
    await noteRestore(sql, now)
    return { manifest, rows: manifest.tables.reduce((sum, { rows }) => sum + rows, 0), ...held }
  } finally {
    await sql.end({ timeout: 5 })
  }
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
      throw new Error(`${nameOf(table)} is not empty: a backup comes back into a new database (DATABASE_NAME) or an empty one only`)
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
