import { expect, test } from 'bun:test'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseSettings } from '#platform/setup/settings'
import { startSchema, unusedSettings } from '../dev/start-settings.ts'
import packageJson from '../package.json' with { type: 'json' }

const root = join(import.meta.dir, '..')
const read = (file: string) => readFileSync(join(root, file), 'utf8')
const page = read('docs/one-server.md')
const units = readdirSync(join(root, 'deploy/systemd')).filter((name) => /\.(service|timer)$/.test(name))

test('the settings that the page writes are all read by `bun start`, and valid', () => {
  const [, text = ''] = /cat >\/opt\/healthmed\/\.env <<EOF\n([\s\S]*?)\n\s*EOF/.exec(page) ?? []
  const lines = text.split('\n').map((line) => line.trim().split(/=(.*)/s).slice(0, 2) as [string, string])
  const filled = ([name, value]: [string, string]): [string, string] => [
    name,
    value.replaceAll("'", '').replace('$DOMAIN', 'clinic.example').replace('$ADMIN', 'you@clinic.example')
  ]
  const given = Object.fromEntries(lines.map(filled))
  expect(lines.length).toBeGreaterThan(6)
  expect(Object.keys(given).filter((name) => !(name.replace(/_FILE$/, '') in startSchema.properties))).toEqual([])
  expect(unusedSettings(given)).toEqual([])
  const { SMTP_URL_FILE: _, ...plain } = given
  expect(parseSettings(startSchema, plain)).toMatchObject({ PUBLIC_URL: 'https://clinic.example', ADMIN_EMAIL: 'you@clinic.example' })
})

test('each file of the repository that the page names is there, and each command of package.json', () => {
  const files = [...page.matchAll(/\b(deploy\/[\w./*-]*\w)/g)].map(([, file = '']) => file)
  expect(files.length).toBeGreaterThan(4)
  expect(files.filter((file) => ![...new Bun.Glob(file).scanSync({ cwd: root })].length && !existsSync(join(root, file)))).toEqual([])
  const commands = [...page.matchAll(/bun run ([\w:]+)/g)].map(([, name = '']) => name)
  expect(commands.filter((name) => !(name in packageJson.scripts))).toEqual([])
})

test('the units hold no password, start what is there, and are hardened', () => {
  expect(units.sort()).toEqual(['healthmed-backup.service', 'healthmed-backup.timer', 'healthmed.service'])
  for (const name of units.filter((unit) => unit.endsWith('.service'))) {
    const unit = read(`deploy/systemd/${name}`)
    expect(unit.match(/^(Environment|ExecStart)=.*(PASSWORD|SECRET|KEY|_URL)/gim)).toBeNull()
    const [, program = ''] = /^ExecStart=\/usr\/local\/bin\/bun --env-file=\.env (\S+)/m.exec(unit) ?? []
    expect([name, existsSync(join(root, program))]).toEqual([name, true])
    for (const line of ['User=healthmed', 'NoNewPrivileges=yes', 'ProtectSystem=strict', 'CapabilityBoundingSet=', 'UMask=0077'])
      expect(unit).toContain(`\n${line}\n`)
  }
})
