import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { dashboards } from '../grafana/panels.ts'

const here = import.meta.dir
const read = (path: string) => readFileSync(join(here, path), 'utf8')

/** A rule as Prometheus reads it. */
export type Rule = { record?: string; alert?: string; expr: string; annotations?: { runbook?: string } }

/** Every recording rule and alert. */
export const rules = (): Rule[] =>
  readdirSync(join(here, 'rules')).flatMap((file) =>
    (Bun.YAML.parse(read(`rules/${file}`)) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules)
  )

/** Every expression of rules and dashboards, with where it stands. */
export const expressions = (): { where: string; expr: string }[] => [
  ...rules().map(({ record, alert, expr }) => ({ where: `rule ${record ?? alert}`, expr })),
  ...Object.entries(dashboards).flatMap(([name, { panels }]) =>
    panels.flatMap(({ title, lines }) => lines.map(([expr]) => ({ where: `dashboard ${name}: ${title}`, expr })))
  )
]

/** The names of metrics that an expression speaks of: what stands before a selector, with functions, labels and keywords left out. */
export function metricsIn(expr: string): string[] {
  const bare = expr
    .replace(/"(?:\\.|[^"\\])*"/g, '""')
    .replace(/\{[^}]*\}/g, '{}')
    .replace(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, '')
    .replace(/\[[^\]]*\]/g, '')
  const words = bare.matchAll(/([a-zA-Z_:][\w:]*)\s*(\(|\{)?/g)
  return [...new Set([...words].filter(([, , after]) => after !== '(').map(([, name = '']) => name))].filter((name) => !keywords.has(name))
}

const keywords = new Set(['and', 'or', 'unless', 'offset', 'bool', 'd', 'h', 'm', 's'])

/** What there is: our own metrics as the code declares them, recording rules, what exporters are known to have, and Prometheus's own. */
export async function knownMetrics(): Promise<Set<string>> {
  const root = join(here, '..', '..')
  const known = new Set(['up', 'ALERTS', 'healthmed_backup_finished_seconds', ...rules().flatMap(({ record }) => record ?? [])])
  for (const line of read('known-metrics.txt').split('\n')) if (line && !line.startsWith('#')) known.add(line)
  for (const folder of ['platform', 'services', 'gateway']) {
    for await (const path of new Bun.Glob(`${folder}/**/*.ts`).scan(root)) {
      if (path.endsWith('.test.ts')) continue
      const text = await Bun.file(join(root, path)).text()
      for (const [, kind, name] of text.matchAll(/\b(counter|gauge|histogram)\(\s*'([a-z_]+)'/g)) {
        const full = `healthmed_${name}`
        for (const suffix of kind === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']) known.add(full + suffix)
      }
    }
  }
  return known
}
