import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { bold, say, step } from './terminal.ts'

const root = join(import.meta.dir, '..')
const bin = (name: string) => join(root, 'node_modules/.bin', name)

const folders = ['dev', 'gateway', 'services', 'platform', 'deploy', 'ops', 'journeys', 'bench'].filter((folder) =>
  existsSync(join(root, folder))
)
const settings = ['package.json', 'tsconfig.json', 'biome.json', 'knip.json', '.dependency-cruiser.mjs']

const checks: Record<string, string[]> = {
  'Format and lint (biome)': [bin('biome'), 'ci', '--colors=off', ...folders, ...settings],
  'Types (tsc)': [bin('tsc'), '--noEmit'],
  'Nothing unused (knip)': [bin('knip'), '--no-progress', '--no-config-hints'],
  'Structure (dependency-cruiser)': [bin('depcruise'), ...folders, '--no-progress', '--output-type', 'err']
}

/** Runs every check at once and prints what the failed ones say. Gives the exit code: 1 where one failed. */
export async function runChecks(): Promise<number> {
  say(bold('Checks'))
  const complaints = await Promise.all(
    Object.entries(checks).map(async ([label, command]) => {
      const complaint = await step(label, () => outputOf(command)).then(
        () => undefined,
        (error: Error) => `\n${bold(label)}\n${error.message}`
      )
      return complaint
    })
  )
  const failed = complaints.filter((complaint) => complaint !== undefined)
  for (const complaint of failed) say(complaint)
  say(failed.length > 0 ? `\n${failed.length} of ${complaints.length} checks failed` : '\nAll checks passed')
  return failed.length > 0 ? 1 : 0
}

async function outputOf(command: string[]): Promise<void> {
  // the tools are told which runtime to use: a machine may have Bun and no Node
  const child = Bun.spawn([process.execPath, '--bun', ...command], { cwd: root, stdout: 'pipe', stderr: 'pipe' })
  const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited])
  if (code !== 0) throw new Error(`${out}${err}`.trim())
}
