import { expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { keySettings, secretsOf } from './secrets.ts'

const inDirectory = (work: (dir: string) => void) => {
  const dir = mkdtempSync(join(tmpdir(), 'secrets-test-'))
  try {
    work(dir)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

test('the secrets of an earlier release are kept, and the keys that it did not know are made once', () =>
  inDirectory((dir) => {
    const { encryptionKeys, eventKeys, ...earlier } = secretsOf(dir)
    writeFileSync(join(dir, 'secrets.json'), JSON.stringify(earlier), { mode: 0o600 })
    expect(() => keySettings('scheduling', earlier as ReturnType<typeof secretsOf>)).toThrow('earlier release')
    const now = secretsOf(dir)
    expect(now).toMatchObject(earlier)
    expect(now.eventKeys).not.toEqual(eventKeys)
    expect(secretsOf(dir)).toEqual(now)
    expect(JSON.parse(readFileSync(join(dir, 'secrets.json'), 'utf8'))).toEqual(now)
    expect(statSync(join(dir, 'secrets.json')).mode & 0o777).toBe(0o600)
  }))

test('each service has an encryption key of its own, and shares an event key with the notifier alone', () =>
  inDirectory((dir) => {
    const secrets = secretsOf(dir)
    const [auth, scheduling, notifier] = (['auth', 'scheduling', 'notifier'] as const).map((service) => keySettings(service, secrets))
    expect(new Set([auth, scheduling, notifier].map((settings) => settings?.ENCRYPTION_KEY)).size).toBe(3)
    expect([notifier?.AUTH_EVENT_KEY, notifier?.SCHEDULING_EVENT_KEY]).toEqual([auth?.EVENT_KEY, scheduling?.EVENT_KEY])
    expect(auth?.EVENT_KEY).not.toBe(scheduling?.EVENT_KEY)
  }))
