import { expect, test } from 'bun:test'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileOf, jsonOf } from '../grafana/build.ts'
import { dashboards } from '../grafana/panels.ts'
import { expressions, knownMetrics, metricsIn, rules } from './expressions.ts'

const root = join(import.meta.dir, '..', '..')
const alerts = rules().flatMap(({ alert, annotations }) => (alert ? [{ alert, runbook: annotations?.runbook ?? '' }] : []))

test('the names of metrics are told from functions, labels, ranges and text', () => {
  expect(
    metricsIn('histogram_quantile(0.99, sum by (le, job) (rate(a_bucket{route=~"b|c", x!="d()"}[5m]))) > 1 and e:f offset 1h')
  ).toEqual(['a_bucket', 'e:f'])
  expect(metricsIn('count(ALERTS{alertstate="firing"}) or vector(0)')).toEqual(['ALERTS'])
})

test('rules and dashboards name only metrics that the code or an exporter has', async () => {
  const known = await knownMetrics()
  const missing = expressions().flatMap(({ where, expr }) =>
    metricsIn(expr)
      .filter((name) => !known.has(name))
      .map((name) => `${where}: ${name}`)
  )
  expect(missing).toEqual([])
  expect(expressions().length).toBeGreaterThan(80)
})

test('each alert has a runbook, a firing case and a quiet one', () => {
  const cases = (Bun.YAML.parse(readFileSync(join(import.meta.dir, 'rules.test.yml'), 'utf8')) as { tests: { name: string }[] }).tests
  const names = new Set(cases.map(({ name }) => name))
  expect(alerts.filter(({ runbook }) => !existsSync(join(root, runbook)))).toEqual([])
  expect(alerts.filter(({ alert }) => !names.has(`${alert} fires`) || !names.has(`${alert} stays quiet`))).toEqual([])
  expect(readdirSync(join(root, 'deploy/runbooks')).length).toBe(alerts.length)
})

test('the dashboards in the repository are the ones that panels.ts describes', () => {
  // how the file is laid out is the formatter's
  for (const [name, dashboard] of Object.entries(dashboards)) {
    expect(JSON.parse(readFileSync(fileOf(name), 'utf8'))).toEqual(JSON.parse(jsonOf(dashboard)))
  }
})
