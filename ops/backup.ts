import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { connect, type Sql } from '#platform/data/db'
import { roleUrl } from '#platform/data/provision'
import packageJson from '../package.json' with { type: 'json' }
import type { Place } from './place.ts'
import { nameOf, type Table, tablesOf, versionsOf } from './tables.ts'

/** What a backup holds. `at` is the instant whose state it is, `versions` the migrations that its tables are of. */
export type Manifest = {
  product: string
  at: string
  versions: Record<string, number>
  tables: (Table & { file: string; rows: number; sha256: string })[]
}

/** An hour for one table: a backup may take as long as it takes, but a lost server must not hold it for ever. */
const TABLE_MS = 3_600_000
const DAY_MS = 86_400_000

/**
 * Writes all schemas as of one instant (one snapshot) into a new folder of `dir` and reads it again; only when that is right does the folder get
 * its name. Keeps the newest `keep`. Files are readable by their owner alone: they hold people's names and addresses. Gives the folder.
 */
export async function backup(
  { adminUrl, database }: Place,
  dir: string,
  { keep = 14 } = {}
): Promise<{ folder: string; manifest: Manifest }> {
  const sql = connect(roleUrl(adminUrl, database), { name: 'ops backup', max: 1, statementTimeoutMs: TABLE_MS })
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const part = join(dir, `.part-${crypto.randomUUID()}`)
  await mkdir(part, { mode: 0o700 })
  try {
    const manifest = await dump(sql, part)
    await writeFile(join(part, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600 })
    await check(part, manifest)
    const folder = join(dir, `healthmed-${manifest.at.replace(/[:.]/g, '-')}`)
    await rename(part, folder)
    await forgetOld(dir, keep)
    await tellMonitoring(dir, manifest.at)
    return { folder, manifest }
  } finally {
    await rm(part, { recursive: true, force: true })
    await sql.end({ timeout: 5 })
  }
}

async function dump(sql: Sql, part: string): Promise<Manifest> {
  return (await sql.begin('isolation level repeatable read read only', async (tx) => {
    // the pool's bound on idle transactions is for services; here gzip may be slower than the server
    await tx.unsafe('set local idle_in_transaction_session_timeout = 0')
    const [{ at } = { at: new Date() }] = await tx<{ at: Date }[]>`select now() as at`
    const manifest: Manifest = { product: packageJson.version, at: at.toISOString(), versions: await versionsOf(tx), tables: [] }
    for (const table of await tablesOf(tx)) {
      const file = `${nameOf(table)}.copy.gz`
      const source = await tx.unsafe(`copy ${nameOf(table)} (${table.columns.map((name) => `"${name}"`).join(', ')}) to stdout`).readable()
      let rows = 0
      const count = new Transform({
        transform: (chunk: Buffer, _encoding, done) => {
          // a line break inside a value is escaped in COPY's text format
          for (const byte of chunk) if (byte === 10) rows++
          done(null, chunk)
        }
      })
      await pipeline(source, count, createGzip(), createWriteStream(join(part, file), { mode: 0o600 }))
      manifest.tables.push({ ...table, file, rows, sha256: await digestOf(join(part, file)) })
    }
    return manifest
  })) as Manifest
}

/** The SHA-256 of a file, in hexadecimal digits. */
export async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}

/** Throws where a file of the backup is missing or is not what was written. */
export async function check(folder: string, { tables }: Manifest): Promise<void> {
  for (const { file, sha256 } of tables) {
    const found = await digestOf(join(folder, file)).catch(() => 'missing')
    if (found !== sha256) throw new Error(`${file} of the backup ${folder} is ${found === 'missing' ? 'missing' : 'damaged'}`)
  }
}

async function forgetOld(dir: string, keep: number): Promise<void> {
  const folders = (await readdir(dir)).filter((name) => name.startsWith('healthmed-')).sort()
  for (const name of folders.slice(0, Math.max(0, folders.length - keep))) await rm(join(dir, name), { recursive: true })
  // of a backup that was killed
  for (const name of await readdir(dir)) {
    if (name.startsWith('.part-') && (await stat(join(dir, name))).mtimeMs < Date.now() - DAY_MS)
      await rm(join(dir, name), { recursive: true })
  }
}

/** For the node exporter's textfile collector: the alert BackupOld reads it. */
async function tellMonitoring(dir: string, at: string): Promise<void> {
  const path = join(dir, 'healthmed_backup.prom')
  const lines = [
    '# HELP healthmed_backup_finished_seconds Of which instant the newest good backup is, Unix time',
    '# TYPE healthmed_backup_finished_seconds gauge'
  ]
  await writeFile(`${path}.new`, `${lines.join('\n')}\nhealthmed_backup_finished_seconds ${Date.parse(at) / 1000}\n`, { mode: 0o644 })
  await rename(`${path}.new`, path)
}
