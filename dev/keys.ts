import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { roleUrl } from '#platform/provision'
import { readSecrets } from './secrets.ts'
import { startSettings } from './start-settings.ts'

/*
 * `bun run keys rotate | retire`: the signing keys of auth. Where auth's own settings are in the environment (a container, a cluster) these are
 * used, else those of the system that `bun start` runs here.
 */
const env = process.env.DATABASE_URL || process.env.DATABASE_URL_FILE ? process.env : { ...process.env, ...ofLocalSystem() }
const { exitCode } = Bun.spawnSync([process.execPath, 'services/auth/manage.ts', ...process.argv.slice(2)], {
  cwd: join(import.meta.dir, '..'),
  env,
  stdout: 'inherit',
  stderr: 'inherit'
})
process.exit(exitCode)

function ofLocalSystem(): Record<string, string> {
  const { DATA_DIR, POSTGRES_URL } = startSettings()
  const secrets = readSecrets(DATA_DIR)
  const admin = POSTGRES_URL ?? localPostgres(join(DATA_DIR, 'postgres', 'data', 'postmaster.pid'))
  if (!secrets || !admin) {
    console.error(
      'No system runs here. Start one with `bun start`, or give DATABASE_URL, ENCRYPTION_KEY and INDEX_KEY of the one that is meant.'
    )
    process.exit(69)
  }
  return {
    DATABASE_URL: roleUrl(admin, databaseOf(admin), 'auth', secrets.rolePasswords.auth),
    ENCRYPTION_KEY: secrets.encryptionKey,
    INDEX_KEY: secrets.indexKey
  }
}

/** A running server writes its port on the fourth line of its pid file. */
function localPostgres(pidFile: string): string | undefined {
  return existsSync(pidFile) ? `postgres://127.0.0.1:${readFileSync(pidFile, 'utf8').split('\n')[3]}/healthmed` : undefined
}

/** As `bun start` has it: the server's own database is not for us to fill. */
function databaseOf(url: string): string {
  const named = decodeURIComponent(new URL(url).pathname.slice(1))
  return named === '' || named === 'postgres' ? 'healthmed' : named
}
