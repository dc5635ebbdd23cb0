import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sbom } from './sbom.ts'

/*
 * `bun run release 0.2.0 [--images]`: from a clean main whose `.ci/run` passes makes the release's commit and tag: version in package.json, the
 * Dockerfile and the Kubernetes overlays, the changelog's "Unreleased" under its number and date, and a bill of materials in dist/. `--images` builds the images too.
 * Nothing is pushed. The version may be the one that stands there already, as at the first release.
 */
const root = join(import.meta.dir, '..', '..')
const [version = '', ...options] = process.argv.slice(2)
const images = ['gateway', 'auth', 'scheduling', 'notifier', 'migrate']

function run(...command: string[]): string {
  const { stdout, stderr, exitCode } = Bun.spawnSync(command, { cwd: root, stderr: 'pipe' })
  if (exitCode !== 0) throw new Error(`${command.join(' ')} ended with ${exitCode}\n${stderr}`)
  return stdout.toString().trim()
}

/** Changes a file. Throws where what is to be there afterwards is not. */
function edit(path: string, change: (text: string) => string, wanted: string): void {
  const file = join(root, path)
  const after = change(readFileSync(file, 'utf8'))
  if (!after.includes(wanted)) throw new Error(`${path} has no place for ${wanted.trim()}`)
  writeFileSync(file, after)
}

function release(): void {
  if (!/^\d+\.\d+\.\d+$/.test(version)) throw new Error('usage: bun run release MAJOR.MINOR.PATCH [--images]')
  if (run('git', 'branch', '--show-current') !== 'main') throw new Error('a release is made of main')
  if (run('git', 'status', '--porcelain') !== '') throw new Error('the work tree is not clean')
  if (run('git', 'tag', '--list', `v${version}`) !== '') throw new Error(`v${version} is there already`)
  // before all that takes long
  if (!/^## Unreleased\n+- /m.test(readFileSync(join(root, 'CHANGELOG.md'), 'utf8')))
    throw new Error('CHANGELOG.md says nothing under "Unreleased": what is in this release?')
  run('.ci/run')
  edit('package.json', (text) => text.replace(/"version": "[^"]+"/, `"version": "${version}"`), `"version": "${version}"`)
  edit('deploy/Dockerfile', (text) => text.replace(/^ARG VERSION=.*$/m, `ARG VERSION=${version}`), `ARG VERSION=${version}\n`)
  const heading = `## ${version} (${Temporal.Now.plainDateISO()})`
  edit('CHANGELOG.md', (text) => text.replace('## Unreleased\n', `## Unreleased\n\n${heading}\n`), heading)
  for (const overlay of readdirSync(join(root, 'deploy/k8s/overlays'))) {
    const path = `deploy/k8s/overlays/${overlay}/kustomization.yml`
    edit(path, (text) => text.replace(/newTag: [\w.]+/g, `newTag: ${version}`), `newTag: ${version}`)
  }
  run('git', 'commit', '--all', '--message', `Release ${version}`)
  run('git', 'tag', '--annotate', `v${version}`, '--message', `Health&Med ${version}`)
  run('mkdir', '-p', 'dist')
  writeFileSync(join(root, `dist/healthmed-${version}.cdx.json`), `${JSON.stringify(sbom(version), null, 2)}\n`)
  if (options.includes('--images')) {
    const base = pinnedBase()
    for (const image of images) build(image, base)
  }
  console.log(`v${version} is made. To publish: git push origin main v${version}`)
}

/** The base of the images by its digest, so that all of them are of one base and it can be told which; by its tag where no registry answers. */
function pinnedBase(): string {
  const [, base = ''] = /^ARG BUN=(\S+)$/m.exec(readFileSync(join(root, 'deploy/Dockerfile'), 'utf8')) ?? []
  try {
    const digest = run('docker', 'buildx', 'imagetools', 'inspect', base, '--format', '{{.Manifest.Digest}}')
    if (!/^sha256:[0-9a-f]{64}$/.test(digest)) throw new Error(`no digest but ${digest}`)
    return `${base}@${digest}`
  } catch (error) {
    console.error(`The digest of ${base} is not to be had, so the images are built of the tag as it is here:\n${(error as Error).message}`)
    return base
  }
}

function build(image: string, base: string): void {
  const labels = [
    '--build-arg',
    `BUN=${base}`,
    '--build-arg',
    `VERSION=${version}`,
    '--build-arg',
    `REVISION=${run('git', 'rev-parse', 'HEAD')}`
  ]
  run('docker', 'build', '--file', 'deploy/Dockerfile', '--target', image, ...labels, '--tag', `healthmed/${image}:${version}`, '.')
}

try {
  release()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
