import { expect, test } from 'bun:test'
import { createRequire } from 'node:module'
import packageJson from '../../package.json' with { type: 'json' }

const versionOf = (name: string) => (createRequire(import.meta.url)(`${name}/package.json`) as { version: string }).version

test('what runs is new enough for what is built on it', () => {
  expect(packageJson.engines.bun).toBe('>=1.4.0')
  // the first with Temporal
  expect([Bun.version, Bun.semver.satisfies(Bun.version, packageJson.engines.bun)]).toEqual([Bun.version, true])
  // the oldest that the code was written and measured against: what is told of them in docs and comments holds from there
  const oldest = { elysia: '1.4.27', amqplib: '2.3.0', nodemailer: '10.0.0' }
  for (const [name, version] of Object.entries(oldest)) {
    const installed = versionOf(name)
    expect([name, installed, Bun.semver.satisfies(installed, `>=${version}`)]).toEqual([name, installed, true])
  }
})

test('what is installed is what the package names, to the last digit', () => {
  for (const [name, version] of Object.entries(packageJson.dependencies)) {
    expect([name, version]).toEqual([name, expect.stringMatching(/^\d+\.\d+\.\d+/)])
  }
})
