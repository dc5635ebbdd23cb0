import { expect, test } from 'bun:test'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import packageJson from '../package.json' with { type: 'json' }

const root = join(import.meta.dir, '..')
const read = (file: string) => readFileSync(join(root, file), 'utf8')

/** What the build copies into each target from the repository, those of `base` included. */
function copiesOf(target: string): string[] {
  const stages = new Map<string, { parent: string; lines: string[] }>()
  let lines: string[] = []
  for (const line of read('deploy/Dockerfile').split('\n')) {
    const [, parent = '', name = ''] = /^FROM (\S+) AS (\S+)/.exec(line) ?? []
    if (!name) {
      lines.push(line)
      continue
    }
    lines = []
    stages.set(name, { parent, lines })
  }
  const stage = stages.get(target)
  if (!stage) return []
  const own = stage.lines.flatMap((line) => (/^COPY (?!--from)/.test(line) ? line.split(/\s+/).slice(1, -1) : []))
  return [...copiesOf(stage.parent), ...own]
}

/** The files of this repository that a program loads, by whatever way. */
function filesOf(main: string, found = new Set<string>()): Set<string> {
  if (found.has(main)) return found
  found.add(main)
  if (!main.endsWith('.ts')) return found
  for (const { path } of new Bun.Transpiler({ loader: 'ts' }).scanImports(read(main))) {
    if (path.startsWith('#platform/')) filesOf(path.replace(/^#(.*)$/, '$1.ts'), found)
    else if (path.startsWith('.')) filesOf(relative(root, join(root, dirname(main), path)), found)
  }
  return found
}

/** The packages that files name, imported or resolved. */
function packagesOf(files: Iterable<string>): Set<string> {
  const transpiler = new Bun.Transpiler({ loader: 'ts' })
  const found = new Set<string>()
  for (const file of files) {
    if (!file.endsWith('.ts')) continue
    const text = read(file)
    const resolved = [...text.matchAll(/(?:import\.meta\.resolve|createRequire\(import\.meta\.url\))\('([^']+)'\)/g)].map(
      ([, path = '']) => path
    )
    for (const path of [...transpiler.scanImports(text).map((one) => one.path), ...resolved])
      if (/^(@[\w-]+\/)?[a-z]/.test(path) && !isBuiltin(path)) found.add(path.split('/', path.startsWith('@') ? 2 : 1).join('/'))
  }
  return found
}
const isBuiltin = (path: string) => path === 'bun' || path.startsWith('bun:') || path.startsWith('node:')

const programs: [target: string, main: string][] = [
  ['migrate', 'platform/setup/prepare.ts'],
  ['migrate', 'ops/main.ts'],
  ['gateway', 'gateway/main.ts'],
  ['gateway', 'gateway/worker.ts'],
  ['gateway', 'platform/setup/probe.ts'],
  // a thread that auth starts
  ['auth', 'services/auth/passwords/estimator.ts'],
  ...['auth', 'scheduling', 'notifier'].flatMap((name): [string, string][] => [
    [name, `services/${name}/main.ts`],
    // what `ops keys`, `republish` and `dlq` run, or say where to run
    [name, `services/${name}/manage.ts`]
  ])
]

test('each image holds all that its programs load', () => {
  for (const [target, main] of programs) {
    const copies = copiesOf(target)
    const missing = [...filesOf(main)].filter((file) => !copies.some((copy) => file === copy || file.startsWith(`${copy}/`)))
    expect([target, main, missing]).toEqual([target, main, []])
  }
  expect(filesOf('ops/main.ts').size).toBeGreaterThan(15)
})

test('images hold the packages that their programs load, and none that only development needs', () => {
  const loaded = packagesOf(new Set(programs.flatMap(([, main]) => [...filesOf(main)])))
  expect(Object.keys(packageJson.dependencies).sort()).toEqual([...loaded].sort())
  expect(read('deploy/Dockerfile')).toContain('bun install --frozen-lockfile --production')
})

test('in the image of the operations a command starts, and what needs a service says where to run it', async () => {
  const image = mkdtempSync(join(tmpdir(), 'healthmed-image-'))
  try {
    for (const path of copiesOf('migrate')) cpSync(join(root, path), join(image, path), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(image, 'node_modules'))
    const ops = async (...words: string[]) => {
      const child = Bun.spawn([process.execPath, 'ops/main.ts', ...words], { cwd: image, stdout: 'pipe', stderr: 'pipe' })
      return { said: await new Response(child.stderr).text(), code: await child.exited }
    }
    expect(await ops('help')).toEqual({ code: 0, said: expect.stringContaining('usage: bun run ops') })
    expect(await ops('keys', 'rotate')).toEqual({
      code: 1,
      said: expect.stringContaining('docker compose exec auth bun services/auth/manage.ts rotate')
    })
  } finally {
    rmSync(image, { recursive: true })
  }
})

test('the build may see all that it copies', () => {
  const seen = read('.dockerignore')
    .split('\n')
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1))
  const copied = [...new Set(programs.flatMap(([target]) => copiesOf(target)))]
  expect(copied.filter((path) => !existsSync(join(root, path)))).toEqual([])
  expect(copied.filter((path) => !seen.some((entry) => path === entry || path.startsWith(`${entry}/`)))).toEqual([])
})

test('an image that is built without saying so bears the version of the package', () => {
  expect(read('deploy/Dockerfile')).toMatch(new RegExp(`^ARG VERSION=${packageJson.version}$`, 'm'))
})

test('the gateway listens for its probe where the probe asks', () => {
  const [, port] = /^ENV SERVICE_NAME=gateway OPS_PORT=(\d+)$/m.exec(read('deploy/Dockerfile')) ?? []
  expect(read('gateway/settings.ts')).toContain(`OPS_PORT: whole(0, 65535, { default: ${port}`)
})
