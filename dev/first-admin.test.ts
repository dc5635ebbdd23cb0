import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseSettings } from '#platform/setup/settings'
import { firstAdminOf, ignoredAdminSettings } from './first-admin.ts'
import { readSecrets, secretsOf } from './secrets.ts'
import { type StartSettings, startSchema } from './start-settings.ts'
import { welcome } from './welcome.ts'

const dir = mkdtempSync(join(tmpdir(), 'healthmed-admin-'))
afterAll(() => rmSync(dir, { recursive: true }))

const settings = (given: Record<string, string> = {}) =>
  parseSettings(startSchema, { DATA_DIR: dir, DEMO_DATA: 'off', ...given }) as StartSettings
const parts = { postgresUrl: '', database: '', brokerUrl: () => '', smtpUrl: 'smtp://localhost' }
const ignored = (given: Record<string, string>) => ignoredAdminSettings(settings(given), given, secretsOf(dir), ['ana@clinica.example'])

test('the first start takes the settings, and what it took is what it prints and keeps', () => {
  secretsOf(dir)
  const given = { ADMIN_EMAIL: 'ana@clinica.example', ADMIN_PASSWORD: 'tres-vacas-no-morro' }
  const first = firstAdminOf(settings(given), secretsOf(dir))
  expect(first).toEqual({ identifier: 'ana@clinica.example', password: 'tres-vacas-no-morro' })
  expect(readSecrets(dir)).toMatchObject({ adminEmail: 'ana@clinica.example', adminPassword: 'tres-vacas-no-morro' })
  expect(welcome(settings(given), parts, first, ['ana@clinica.example'])).toContain('tres-vacas-no-morro')
})

test('later starts print no password, and say which settings come too late', () => {
  const kept = { ADMIN_EMAIL: 'Ana@clinica.example', ADMIN_PASSWORD: 'tres-vacas-no-morro' }
  expect(ignored(kept)).toBeUndefined()
  expect(ignored({})).toBeUndefined()
  expect(ignored({ ADMIN_EMAIL: 'beto@clinica.example' })).toMatch(/^ADMIN_EMAIL is ignored.*ana@clinica\.example.*ops admin add/)
  expect(ignored({ ...kept, ADMIN_PASSWORD: 'quatro-vacas-no-morro' })).toMatch(/^ADMIN_PASSWORD is ignored/)
  expect(ignored({ ADMIN_EMAIL: 'beto@clinica.example', ADMIN_PASSWORD: 'quatro-vacas-no-morro' })).toMatch(
    /^ADMIN_EMAIL and ADMIN_PASSWORD are ignored/
  )
  // what was made at the first start stays what is kept
  expect(readSecrets(dir)?.adminPassword).toBe('tres-vacas-no-morro')
  const said = welcome(settings(kept), parts, undefined, ['ana@clinica.example', 'beto@clinica.example'])
  expect(said).not.toContain('tres-vacas-no-morro')
  expect(said).toMatch(/admin +beto@clinica\.example +\(not shown again/)
})

test('where the settings name somebody else as the first admin, no password is printed and the way out is', () => {
  const said = welcome(settings({}), parts, { identifier: 'rui@clinica.example', password: 'cinco-vacas-no-morro' }, [])
  expect(said).toContain('rui@clinica.example is the address of another account')
  expect(said).not.toContain('cinco-vacas-no-morro')
})
