import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { schemas } from '#platform/data/provision'
import { EX_CONFIG, SettingsError } from '#platform/setup/settings'
import { bold, dim, green, red, say, step, yellow } from '../dev/terminal.ts'
import { backup } from './backup.ts'
import { examine } from './doctor.ts'
import { manage } from './manage.ts'
import { migrateUp, standings } from './migrations.ts'
import { isElsewhere, placeOf } from './place.ts'
import { republishEvents, WHILE_SERVICES_RUN } from './republish-events.ts'
import { quiet, restore } from './restore.ts'

const USAGE = `usage: bun run ops COMMAND

  backup [DIR] [--keep N]   all schemas as of one instant, checked, into a new folder of DIR (backups); the newest N (14) are kept
  restore FOLDER            restores a backup into an empty database, beside what runs; no mail that may have left is sent again
  quiet                     after a database was brought back by other means: no mail that may have left is sent again
  doctor                    says what is wrong with settings, connections, clock, migrations, keys, queues and mails, and how to mend it
  migrate status | up       what has run and what waits · runs what waits
  keys rotate | retire      a new signing key · takes those out of the set that nothing valid was signed with (also \`bun run keys\`)
  keys encryption WORD      the encryption keys of every service. rotate: a new one, with which everything is sealed anew in the background ·
                            status: what each sealed · reseal: seal anew now · retire: delete those that sealed nothing that is left
  admin add | reset EMAIL   makes an admin · gives one a new password and ends every session (\`--second-factor\` removes a lost one)
  republish users           tells every service of everybody again, so that an empty schema catches up
  republish events          after the broker lost its data: what no service has handled leaves again
  dlq list | replay [ID…]   messages that could not be processed · puts them back

Where the database is: ADMIN_DATABASE_URL and DATABASE_NAME (healthmed), and for restore and migrate up the passwords of the roles, as the
migrating job has them; without them the system that \`bun start\` runs here.`

/** Runs a command; gives the exit code: 0 done, 1 something is wrong, 64 not a command; a wrong or missing setting ends it with 78. */
async function ops([command, ...words]: string[]): Promise<number> {
  const [first] = words
  if (command === 'backup') return makeBackup(words)
  if (command === 'restore') return isElsewhere(process.env) && first ? bringBack(first) : bringBackHere(words)
  if (command === 'quiet') return hush()
  if (command === 'doctor') return callDoctor()
  if (command === 'migrate' && first === 'status') return showStandings()
  if (command === 'migrate' && first === 'up') {
    const ran = await migrateUp(placeOf(process.env))
    say(ran.length > 0 ? `ran ${ran.join(', ')}` : 'nothing waits')
    return 0
  }
  if (command === 'keys' && first === 'encryption') return manageEncryption(words)
  if (command === 'keys' && first) return manage('auth', words)
  if (command === 'admin' && first) return manage('auth', ['admin', ...words])
  if (command === 'republish' && first === 'users') return manage('auth', ['republish'])
  if (command === 'republish' && first === 'events') return republish()
  if (command === 'dlq' && first) return manage('notifier', words)
  console.error(USAGE)
  return command === 'help' ? 0 : 64
}

async function makeBackup(words: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args: words, options: { keep: { type: 'string', default: '14' } }, allowPositionals: true })
  const keep = Number(values.keep)
  if (!Number.isInteger(keep) || keep < 1) throw new Error('--keep needs a whole number of at least 1')
  const [dir = 'backups'] = positionals
  const { folder, manifest } = await backup(placeOf(process.env), dir, { keep })
  const rows = manifest.tables.reduce((sum, table) => sum + table.rows, 0)
  say(`${green('✓')} ${folder}: ${manifest.tables.length} tables, ${rows} rows, as of ${manifest.at}`)
  say(
    dim(
      '  The keys (ENCRYPTION_KEY of each service, INDEX_KEY) are not in it: without them nobody can read CPFs, phone numbers and reasons. Keep them elsewhere.'
    )
  )
  return 0
}

async function bringBack(folder: string): Promise<number> {
  const place = placeOf(process.env)
  say(`Restoring ${folder} into the database ${place.database} (DATABASE_NAME).`)
  const { manifest, rows, mailsHeld, remindersDropped, needsUsers } = await restore(place, folder, Temporal.Now.instant(), step)
  say(`${green('✓')} ${rows} rows as of ${manifest.at} are restored.`)
  say(
    `  Held back, since they may have left before: ${mailsHeld} emails (status failed: an administrator may resend each), ${remindersDropped} reminders.`
  )
  say('  What to do next: start the services on this database, with the ENCRYPTION_KEY and INDEX_KEY of the system that the backup is of.')
  if (needsUsers) say('  Then run `republish users` where auth runs: what a release before this one said of people was not kept.')
  return 0
}

/** Beside what `bun start` runs. It brings up a PostgreSQL of its own, which is in no image. */
function bringBackHere(words: string[]): number {
  const program = join(import.meta.dir, '..', 'dev', 'restore-here.ts')
  if (!existsSync(program)) throw new Error('restore needs a FOLDER and ADMIN_DATABASE_URL: which backup, and into which database?')
  return Bun.spawnSync([process.execPath, '--no-env-file', program, ...words], { stdout: 'inherit', stderr: 'inherit' }).exitCode
}

async function republish(): Promise<number> {
  const { events, lost, needsUsers } = await republishEvents(placeOf(process.env), WHILE_SERVICES_RUN)
  say(`${green('✓')} ${events} events leave again; services ignore what they know.`)
  if (needsUsers) say('  Run `bun run ops republish users` as well: what a release before this one said of people was not kept.')
  if (lost > 0) say(yellow(`  Emails of the previous release that cannot be made again: ${lost}.`))
  return 0
}

/** Does the same to the encryption keys of every service; each says how it went. */
function manageEncryption(words: string[]): number {
  return Math.max(...schemas.map((service) => manage(service, words)))
}

async function hush(): Promise<number> {
  const { mailsHeld, remindersDropped } = await quiet(placeOf(process.env), Temporal.Now.instant())
  say(`${green('✓')} ${mailsHeld} mails were taken out of the line (status failed), ${remindersDropped} reminders dropped.`)
  return 0
}

async function callDoctor(): Promise<number> {
  const findings = await examine(process.env)
  for (const { what, right, found, mend } of findings) {
    say(`  ${right ? green('✓') : red('✗')} ${what.padEnd(32)} ${found}`)
    if (!right && mend) say(`    ${yellow(mend)}`)
  }
  const wrong = findings.filter(({ right }) => !right).length
  say(wrong === 0 ? bold('\nNothing is wrong.') : bold(`\n${wrong} of ${findings.length} need a look.`))
  return wrong === 0 ? 0 : 1
}

async function showStandings(): Promise<number> {
  const all = await standings(placeOf(process.env))
  for (const { schema, version, waiting } of all)
    say(`  ${schema.padEnd(12)} at ${version}${waiting.length > 0 ? `, waiting: ${waiting.join(', ')}` : ''}`)
  return all.every(({ waiting }) => waiting.length === 0) ? 0 : 1
}

try {
  process.exitCode = await ops(process.argv.slice(2))
} catch (error) {
  console.error(red(error instanceof Error ? error.message : String(error)))
  process.exitCode = error instanceof SettingsError ? EX_CONFIG : 1
}
