import { expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { schemas } from '#platform/data/provision'
import { ensureProgram } from '../dev/ensure.ts'

/* What tools of others say of rules, manifests and migrations. One that is not here, and cannot be installed without asking, is skipped and named. */
const root = join(import.meta.dir, '..')
const promtool = await ensureProgram('promtool', {
  name: 'prometheus',
  services: ['prometheus.service', 'prometheus-node-exporter.service']
})
const kubectl = await ensureProgram('kubectl', { name: 'kubernetes-client' })
for (const [tool, path] of Object.entries({ promtool, kubectl })) if (!path) console.log(`skipped: there is no ${tool} here`)

/** What a command printed where it did not end well, else nothing. */
async function complaintOf(...command: string[]): Promise<string> {
  const child = Bun.spawn(command, { cwd: root, stdout: 'pipe', stderr: 'pipe' })
  const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited])
  return code === 0 ? '' : `ended with ${code}\n${out}${err}`
}
const filesIn = (folder: string) => readdirSync(join(root, folder)).map((file) => join(folder, file))

test.if(promtool !== undefined)(
  'Prometheus takes the rules, and each alert fires and stays quiet as its cases say',
  async () => {
    expect(await complaintOf(promtool ?? '', 'check', 'rules', ...filesIn('deploy/prometheus/rules'))).toBe('')
    expect(await complaintOf(promtool ?? '', 'test', 'rules', 'deploy/prometheus/rules.test.yml')).toBe('')
  },
  180_000
)

test.if(kubectl !== undefined)(
  'both overlays are what Kubernetes and its operators take, and keep our rules',
  async () => expect(await complaintOf(process.execPath, 'deploy/k8s/check.ts')).toBe(''),
  120_000
)

test('no migration holds up who works meanwhile, as far as squawk can tell', async () => {
  const squawk = (exclude: string[], files: string[]) =>
    complaintOf(
      process.execPath,
      'node_modules/.bin/squawk',
      '--assume-in-transaction',
      // the bounds on waits are set by platform/data/migrate.ts
      `--exclude=${['require-lock-timeout', 'require-statement-timeout', ...exclude].join(',')}`,
      ...files
    )
  // the first migration of a schema meets no rows
  const files = schemas.flatMap((schema) => filesIn(`services/${schema}/migrations`)).filter((file) => !/\/001\.[^/]*$/.test(file))
  // an exclusion constraint cannot be added `not valid`: how long it takes is measured by bench/migration-pause.ts
  const rebuilt = files.filter((file) => file.endsWith('003.do.constraints-by-owner.sql'))
  expect([files.length > 4, rebuilt.length]).toEqual([true, 1])
  // nor an index beside the work in a transaction: how long who meets these waits is in deploy/README.md
  const indexed = files.filter((file) =>
    /\.do\.(indexes-by-question|crm-of-live-doctors|new-addresses|claims-of-clients|searches-from-a-place)\.sql$/.test(file)
  )
  expect(indexed).toHaveLength(7)
  expect(
    await squawk(
      [],
      files.filter((file) => !rebuilt.includes(file) && !indexed.includes(file))
    )
  ).toBe('')
  const beside = ['require-concurrent-index-creation', 'require-concurrent-index-deletion']
  // the check of new-addresses is of a table that holds a day of links
  expect(await squawk([...beside, 'constraint-missing-not-valid'], indexed)).toBe('')
  expect(await squawk(['constraint-missing-not-valid'], rebuilt)).toBe('')
  expect(await squawk([], rebuilt)).toContain('constraint-missing-not-valid')
  expect(await squawk([], indexed)).toContain('require-concurrent-index-creation')
})
