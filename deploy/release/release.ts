import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sbom } from './sbom.ts'

/*
 * `bun run release 0.2.0 [--images]`: from a clean main whose `.ci/run` passes makes the release's commit and tag: version in package.json and in the
 * Kubernetes overlays, the changelog's "Unreleased" under its number and date, and a bill of materials in dist/. `--images` builds the images too.
 * Nothing is pushed.
 */
const root = join(import.meta.dir, '..', '..')
const [version = '', ...options] = process.argv.slice(2)
const images = ['gateway', 'auth', 'scheduling', 'notifier', 'migrate']

function run(...command: string[]): string {
  const { stdout, stderr, exitCode } = Bun.spawnSync(command, { cwd: root, stderr: 'pipe' })
  if (exitCode !== 0) throw new Error(`${command.join(' ')} ended with ${exitCode}\n${stderr}`)
  return stdout.toString().trim()
}

function edit(path: string, change: (text: string) => string): void {
  const file = join(root, path)
  const before = readFileSync(file, 'utf8')
  const after = change(before)
  if (after === before) throw new Error(`${path} has nothing to change`)
  writeFileSync(file, after)
}

function release(): void {
  if (!/^\d+\.\d+\.\d+$/.test(version)) throw new Error('usage: bun run release MAJOR.MINOR.PATCH [--images]')
  if (run('git', 'branch', '--show-current') !== 'main') throw new Error('a release is made of main')
  if (run('git', 'status', '--porcelain') !== '') throw new Error('the work tree is not clean')
  if (run('git', 'tag', '--list', `v${version}`) !== '') throw new Error(`v${version} is there already`)
  run('.ci/run')
  edit('package.json', (text) => text.replace(/"version": "[^"]+"/, `"version": "${version}"`))
  const today = Temporal.Now.plainDateISO().toString()
  edit('CHANGELOG.md', (text) => text.replace('## Unreleased\n', `## Unreleased\n\n## ${version} (${today})\n`))
  for (const overlay of readdirSync(join(root, 'deploy/k8s/overlays'))) {
    edit(`deploy/k8s/overlays/${overlay}/kustomization.yml`, (text) => text.replace(/newTag: [\w.]+/g, `newTag: ${version}`))
  }
  run('git', 'commit', '--all', '--message', `Release ${version}`)
  run('git', 'tag', '--annotate', `v${version}`, '--message', `Health&Med ${version}`)
  run('mkdir', '-p', 'dist')
  writeFileSync(join(root, `dist/healthmed-${version}.cdx.json`), `${JSON.stringify(sbom(version), null, 2)}\n`)
  if (options.includes('--images')) for (const image of images) build(image)
  console.log(`v${version} is made. To publish: git push origin main v${version}`)
}

function build(image: string): void {
  const labels = ['--build-arg', `VERSION=${version}`, '--build-arg', `REVISION=${run('git', 'rev-parse', 'HEAD')}`]
  run('docker', 'build', '--file', 'deploy/Dockerfile', '--target', image, ...labels, '--tag', `healthmed/${image}:${version}`, '.')
}

try {
  release()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
