import { afterAll, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dropBackups, run, trial } from './engine.ts'
import { Verdicts } from './verdicts.ts'

const root = join(import.meta.dir, '..', '..')
afterAll(dropBackups)

test('no variable of the containers comes from the living system: each has a value of the trial', async () => {
  const files = ['docker-compose.yml', 'deploy/pgbouncer/compose.yml'].map((file) => readFileSync(join(root, file), 'utf8'))
  const wanted = new Set(files.flatMap((text) => [...text.matchAll(/(?<!\$)\$\{(\w+)/g)].map(([, name]) => name as string)))
  expect(wanted.size).toBeGreaterThan(10)
  // what init-secrets wrote is looked up at the secrets themselves
  expect([...wanted].filter((name) => !(name in trial) && name !== 'SECRETS_OWNER')).toEqual([])
  expect(await run(['sh', '-c', 'cat $SMTP_URL_SECRET'])).toBe('smtp://mailbox:1025')
})

test('the trial keeps its backups in a folder of its own, which is empty', () => {
  expect(trial.BACKUP_DIR.startsWith(tmpdir())).toBe(true)
  expect(readdirSync(trial.BACKUP_DIR)).toEqual([])
})

test('nothing judged, or something that broke off before its verdict, is no success', () => {
  expect(new Verdicts().holds()).toBe(false)
  const verdicts = new Verdicts()
  verdicts.judge('up', true, '3 s')
  expect(verdicts.holds()).toBe(true)
  verdicts.brokeOff(new Error('docker: no space left\non device'))
  expect(verdicts.holds()).toBe(false)
  expect(verdicts.lines().at(-1)).toContain('1 of 2 do not hold')
  expect(verdicts.lines().join('\n')).toContain('docker: no space left')
})
