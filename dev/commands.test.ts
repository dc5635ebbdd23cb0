import { afterAll, beforeAll, expect, test } from 'bun:test'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import packageJson from '../package.json' with { type: 'json' }

const root = join(import.meta.dir, '..')
const top = mkdtempSync(join(tmpdir(), 'healthmed-clone-'))
const clone = join(top, 'clone')
const dataDir = join(top, 'data')

/** What a fresh clone of the work tree as it is has: what git tracks, and what is new and not ignored. */
beforeAll(() => {
  const { stdout } = Bun.spawnSync(['git', 'ls-files', '--cached', '--others', '--exclude-standard', '-z'], { cwd: root })
  for (const file of stdout.toString().split('\0').filter(Boolean)) {
    if (!existsSync(join(root, file))) continue
    mkdirSync(dirname(join(clone, file)), { recursive: true })
    cpSync(join(root, file), join(clone, file))
  }
})
afterAll(() => rmSync(top, { recursive: true, force: true }))

async function runFresh(command: string, words: string[], more: Record<string, string> = {}) {
  rmSync(join(clone, 'node_modules'), { recursive: true, force: true })
  const { PATH, HOME, BUN_INSTALL_CACHE_DIR } = process.env
  const env = { PATH, HOME, BUN_INSTALL_CACHE_DIR, DATA_DIR: dataDir, PORT: '1', MAILBOX_PORT: '2', ...more }
  const child = Bun.spawn([process.execPath, 'run', command, ...words], { cwd: clone, env, stdout: 'pipe', stderr: 'pipe' })
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
  return { code, said: `${out}${err}` }
}

/** A quick form of each command: how it ends without dependencies and without a system, and what it says by then. */
const quick: [command: string, words: string[], code: number, said: RegExp][] = [
  ['bench', ['nothing'], 64, /There is no nothing; there are .*bookings/],
  ['ops', ['help'], 0, /usage: bun run ops COMMAND/],
  ['keys', ['rotate'], 1, /No system runs here/],
  ['dev:fill', [], 1, /No system runs here/],
  ['routes', [], 0, /route-table\.json/],
  ['settings:docs', [], 0, /settings\.md/],
  ['mails:preview', [], 0, /Look at .*data\/mails-preview/],
  ['mails:compile', [], 0, /layout\.html/],
  ['sbom', [join(top, 'sbom.json')], 0, /Installed dependencies/],
  ['release', ['nothing'], 1, /usage: bun run release/],
  ['tour', [], 1, /talks to http:\/\/localhost:1 and http:\/\/localhost:2/],
  ['test:chaos', ['--nothing'], 1, /--nothing/]
]
for (const [command, words, code, wanted] of quick) {
  test(`bun run ${command} works from a fresh clone and says what it installs`, async () => {
    const { code: ended, said } = await runFresh(command, words)
    expect([ended, said]).toEqual([code, expect.stringMatching(wanted)])
    expect(said).toContain('Installing dependencies')
    expect(said).not.toMatch(/Cannot find (module|package)/)
  }, 60_000)
}

test('generated files are what the commands write from a fresh clone', () => {
  for (const file of ['gateway/route-table.json', 'docs/settings.md', 'services/notifier/mails/layout.html'])
    expect(readFileSync(join(clone, file), 'utf8')).toBe(readFileSync(join(root, file), 'utf8'))
})

test('every command of package.json installs what it needs, or needs nothing', () => {
  const own = ['dev/setup.ts', 'dev/start.ts', 'dev/test.ts', 'dev/tour.ts', 'dev/check.ts', 'dev/zones.ts']
  for (const [name, line] of Object.entries<string>(packageJson.scripts)) {
    const [, program = ''] = /(?:^|\s)bun (?:--\S+ )*(\S+)/.exec(line) ?? []
    const isPrepared =
      program === 'dev/run.ts' || (own.includes(program) && readFileSync(join(root, program), 'utf8').includes('await setup()'))
    const needsNothing = program === 'dev/bruno.ts' && !/from '(?!node:)/.test(readFileSync(join(root, program), 'utf8'))
    expect([name, isPrepared || needsNothing]).toEqual([name, true])
  }
})
