import { expressions } from './expressions.ts'

/*
 * `bun deploy/prometheus/live.ts [http://localhost:9091]`: asks a running Prometheus for every expression of rules and dashboards. Each has to
 * parse; which gave no data is told. Ends with 1 where one failed or more than a quarter gave none.
 */
const server = process.argv[2] ?? 'http://localhost:9091'
type Answer = { status: string; error?: string; data?: { result: unknown[] } }

const failed: string[] = []
const empty: string[] = []
const all = expressions()
for (const { where, expr } of all) {
  const answer = (await (await fetch(`${server}/api/v1/query?query=${encodeURIComponent(expr)}`)).json()) as Answer
  if (answer.status !== 'success') failed.push(`${where}: ${answer.error}`)
  // an alert that is quiet has no data, and should have none
  else if (answer.data?.result.length === 0 && !/^rule [A-Z]/.test(where)) empty.push(where)
}
for (const line of failed) console.log(`failed    ${line}`)
for (const line of empty) console.log(`no data   ${line}`)
console.log(`${all.length} expressions: ${failed.length} failed, ${empty.length} without data`)
process.exit(failed.length > 0 || empty.length > all.length / 4 ? 1 : 0)
