import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Type } from '@sinclair/typebox'
import { commonSettings, key, networks, oneOf, parseSettings, SettingsError, url, whole } from './settings.ts'

const schema = Type.Object({
  ...commonSettings,
  DATABASE_URL: url('postgres|postgresql'),
  SECRET_KEY: key(),
  MODE: oneOf(['manual', 'auto'], 'manual'),
  WORKERS: Type.Optional(whole(1, 64))
})
const right = { PORT: '8080', DATABASE_URL: 'postgres://auth@localhost/x', SECRET_KEY: 'a'.repeat(64) }

test('numbers become numbers, and what is not given takes its standard', () => {
  expect(parseSettings(schema, right)).toEqual({
    PORT: 8080,
    HOST: '127.0.0.1',
    LOG_LEVEL: 'info',
    DATABASE_URL: 'postgres://auth@localhost/x',
    SECRET_KEY: 'a'.repeat(64),
    MODE: 'manual'
  })
})

test('every wrong or missing setting is named at once, with an example and without its value', () => {
  const broken = { PORT: '80800', SECRET_KEY: 'hunter2', MODE: 'sometimes', WORKERS: 'two' }
  try {
    parseSettings(schema, broken)
    expect.unreachable()
  } catch (error) {
    expect(error).toBeInstanceOf(SettingsError)
    const { message } = error as SettingsError
    for (const name of ['PORT', 'DATABASE_URL', 'SECRET_KEY', 'MODE', 'WORKERS']) expect(message).toContain(name)
    expect(message).toContain('for example manual | auto')
    expect(message).not.toContain('hunter2')
  }
})

test('networks are addresses and CIDR blocks of both families, or none, and nothing else', () => {
  const taken = (value: string) => {
    try {
      return parseSettings(Type.Object({ TRUSTED: networks() }), { TRUSTED: value }).TRUSTED === value
    } catch (error) {
      expect((error as Error).message).toContain('TRUSTED is not valid, for example 10.0.0.0/8,192.0.2.7')
      return false
    }
  }
  const right = ['none', '10.0.0.0/8', '10.0.0.0/8, 192.0.2.7', '::1', '2001:db8::/32,127.0.0.1', '0.0.0.0/0', '::/128']
  expect(right.filter((value) => !taken(value))).toEqual([])
  const wrong = [
    'any',
    '10.0.0.0/33',
    '10.0.0/8',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0.0.0/-1',
    '::/129',
    '10.0.0.1,',
    'none,::1',
    'proxy.example'
  ]
  expect(wrong.filter(taken)).toEqual([])
})

test('an empty setting counts as not given', () => {
  expect(parseSettings(schema, { ...right, MODE: '', WORKERS: '' }).MODE).toBe('manual')
})

test('a secret can come from a file, whose trailing line break does not count', () => {
  const folder = mkdtempSync(join(tmpdir(), 'settings-'))
  try {
    writeFileSync(join(folder, 'key'), `${'b'.repeat(64)}\n`)
    const { SECRET_KEY: _, ...rest } = right
    expect(parseSettings(schema, { ...rest, SECRET_KEY_FILE: join(folder, 'key') }).SECRET_KEY).toBe('b'.repeat(64))
    expect(() => parseSettings(schema, { ...rest, SECRET_KEY_FILE: join(folder, 'none') })).toThrow('SECRET_KEY_FILE names a file')
  } finally {
    rmSync(folder, { recursive: true })
  }
})
