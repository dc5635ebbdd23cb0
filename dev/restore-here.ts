import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { manage } from '../ops/manage.ts'
import type { Place } from '../ops/place.ts'
import { type Restored, restore } from '../ops/restore.ts'
import { withoutDemoData } from './demo-record.ts'
import { databaseOf } from './local.ts'
import { startPostgres } from './postgres.ts'
import { privateDirectory } from './private-files.ts'
import { openRegistry } from './registry.ts'
import { readSecrets, type Secrets, saveSecrets, secretsOf } from './secrets.ts'
import { green, red, say, step } from './terminal.ts'

/*
 * `bun run ops restore FOLDER` where no ADMIN_DATABASE_URL is set: restores a backup of what `bun start` runs into a data directory of its own. It stops
 * nothing, and it never writes into the directory or the database of a system that runs.
 */
const USAGE = `usage: bun run ops restore FOLDER [--into DIR] [--secrets FILE] [--database NAME]

  FOLDER           a backup that \`bun run ops backup\` made
  --into DIR       an empty or new directory for the restored system (DATA_DIR-restored; DATA_DIR where that is empty)
  --secrets FILE   the secrets.json that belongs to the backup (the one of DATA_DIR)
  --database NAME  with POSTGRES_URL: the new database on that server (its own name with _restored)`

type Wish = { folder: string; live: string; into: string; secretsFile: string; postgresUrl: string | undefined; database: string }

function wishOf(args: string[], { DATA_DIR = '.data', POSTGRES_URL }: Record<string, string | undefined>): Wish | undefined {
  const options = { into: { type: 'string' }, secrets: { type: 'string' }, database: { type: 'string' } } as const
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true })
  const [folder] = positionals
  if (!folder) return undefined
  const live = resolve(DATA_DIR)
  return {
    folder: resolve(folder),
    live,
    into: resolve(values.into ?? (isEmpty(live) ? live : `${live}-restored`)),
    secretsFile: resolve(values.secrets ?? join(live, 'secrets.json')),
    postgresUrl: POSTGRES_URL,
    database: POSTGRES_URL ? (values.database ?? `${databaseOf(POSTGRES_URL)}_restored`) : databaseOf(undefined)
  }
}

const isEmpty = (dir: string) => !existsSync(dir) || readdirSync(dir).length === 0

/** Throws where the target is in use, or the keys are not known. Nothing has been touched then. */
function secretsFor({ folder, live, into, secretsFile, postgresUrl, database }: Wish): Secrets {
  if (!existsSync(join(folder, 'manifest.json'))) throw new Error(`${folder} is not a backup: it has no manifest.json.`)
  if (!isEmpty(into))
    throw new Error(
      `${into} is not empty. A backup is restored into an empty or new directory only; --into DIR names another. Nothing was changed.`
    )
  if (postgresUrl && database === databaseOf(postgresUrl))
    throw new Error(`${database} is the database that POSTGRES_URL names. --database NAME names a new one. Nothing was changed.`)
  if (!existsSync(secretsFile))
    throw new Error(
      `${secretsFile} is not there. It holds the passwords and the encryption keys, which are in no backup: without them nobody can read what is encrypted.
Copy the secrets.json of the system that the backup is of to this machine and name it with --secrets FILE. Nothing was changed.`
    )
  const secrets = JSON.parse(readFileSync(secretsFile, 'utf8')) as Secrets
  // the roles of a server are shared by its databases: other passwords would lock out the system that runs there
  const own = postgresUrl ? readSecrets(live) : undefined
  return own ? { ...secrets, rolePasswords: own.rolePasswords } : secrets
}

async function restoreHere(wish: Wish): Promise<Restored> {
  const secrets = secretsFor(wish)
  const { folder, into, postgresUrl } = wish
  say(`Restoring ${folder} into ${into}; passwords and keys are those of ${wish.secretsFile}. Nothing that runs is stopped.`)
  privateDirectory(into)
  const registry = await openRegistry(into)
  try {
    const server = postgresUrl
      ? undefined
      : await step('PostgreSQL 18 for the restored data', () =>
          startPostgres({ dir: join(into, 'postgres'), password: secrets.postgresPassword, registry })
        )
    saveSecrets(into, secrets)
    // an earlier release made fewer
    secretsOf(into)
    const place: Place = { adminUrl: server?.url ?? serverOf(postgresUrl ?? ''), database: wish.database, passwords: secrets.rolePasswords }
    const restored = await restore(place, folder, Temporal.Now.instant(), step)
    await step('The encryption key opens what is stored', async () => askAuth(wish, 'check'))
    if (restored.needsUsers) askAuth(wish, 'republish')
    withoutDemoData(into)
    return restored
  } catch (error) {
    await registry.endAll()
    registry.close()
    // a half-restored directory must not be started by mistake
    for (const name of readdirSync(into)) rmSync(join(into, name), { recursive: true, force: true })
    throw error
  } finally {
    await registry.endAll()
    registry.close()
  }
}

function serverOf(postgresUrl: string): string {
  const url = new URL(postgresUrl)
  url.pathname = '/postgres'
  return url.href
}

const urlOfRestored = ({ postgresUrl, database }: Wish) => {
  if (!postgresUrl) return undefined
  const url = new URL(postgresUrl)
  url.pathname = `/${database}`
  return url.href
}

function askAuth(wish: Wish, command: string): void {
  const place = { DATA_DIR: wish.into, POSTGRES_URL: urlOfRestored(wish), DATABASE_URL: undefined, DATABASE_URL_FILE: undefined }
  if (manage('auth', [command], { ...process.env, ...place }) === 0) return
  throw new Error(
    `${wish.secretsFile} does not belong to this backup: its encryption key does not open what is stored (see above). Name the right one with --secrets FILE.`
  )
}

function sayWhatNext(wish: Wish, { manifest, rows, mailsHeld, remindersDropped }: Restored): void {
  const place = [...(wish.postgresUrl ? [`POSTGRES_URL='…/${wish.database}'`] : []), `DATA_DIR=${wish.into}`].join(' ')
  say(`\n${green('✓')} ${rows} rows as of ${manifest.at} are restored.`)
  say(
    `  Held back, since they may have left before: ${mailsHeld} emails (an administrator may resend each), ${remindersDropped} reminders.`
  )
  say(`  Passwords and encryption keys: ${join(wish.into, 'secrets.json')}. Keep a copy of that file elsewhere.

What to do next:
  Look at it beside the system that runs, with a mailbox of its own, so that nobody gets an email from it:
    SMTP_URL= SMTP_URL_FILE= ${place} PORT=8081 MAILBOX_PORT=1081 bun start
  Go on with it in place of the other: stop the other one, then start it with your usual settings and
    ${place}
  The directory may be moved or renamed while it is stopped.`)
}

try {
  const wish = wishOf(process.argv.slice(2), process.env)
  if (wish) sayWhatNext(wish, await restoreHere(wish))
  else say(USAGE)
  process.exitCode = wish ? 0 : 64
} catch (error) {
  say(`\n${red('The backup was not restored.')} ${error instanceof Error ? error.message : error}`)
  process.exitCode = 1
}
