import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * What became of the demo data of a data directory. It is loaded once: a person who is `done` is never looked at again, whatever somebody made of them.
 * `begun` names those who are ours though they are not done, after a start that broke off.
 */
export type DemoRecord = { complete: boolean; begun: string[]; done: string[] }

const fileOf = (dataDir: string) => join(dataDir, 'demo-data.json')

/** The record of a data directory; undefined where none was written. */
export function readDemoRecord(dataDir: string): DemoRecord | undefined {
  try {
    return existsSync(fileOf(dataDir)) ? JSON.parse(readFileSync(fileOf(dataDir), 'utf8')) : undefined
  } catch {
    return undefined
  }
}

/** Writes it, all or nothing. */
export function writeDemoRecord(dataDir: string, record: DemoRecord): void {
  writeFileSync(`${fileOf(dataDir)}.new`, JSON.stringify(record), { mode: 0o600 })
  renameSync(`${fileOf(dataDir)}.new`, fileOf(dataDir))
}

/** For a directory whose data comes from elsewhere, such as a backup: no demo data is loaded into it. */
export const withoutDemoData = (dataDir: string): void => writeDemoRecord(dataDir, { complete: true, begun: [], done: [] })
