import { expressions, metricsIn } from './expressions.ts'

type Answer = { status: string; error?: string; data?: { result: unknown[] } }
/** What a running Prometheus said: which expressions it refused, which of the dashboards and recording rules gave no data, which metrics it never saw. */
export type Asked = { all: number; failed: string[]; empty: string[]; unseen: string[] }

/** Asks a running Prometheus for every expression of rules and dashboards. */
export async function askAll(server: string): Promise<Asked> {
  const ask = async <Body>(path: string) => (await (await fetch(`${server}/api/v1/${path}`)).json()) as Body
  const seen = new Set((await ask<{ data: string[] }>('label/__name__/values')).data)
  const all = expressions()
  const asked: Asked = { all: all.length, failed: [], empty: [], unseen: [] }
  for (const { where, expr } of all) {
    const answer = await ask<Answer>(`query?query=${encodeURIComponent(expr)}`)
    if (answer.status !== 'success') asked.failed.push(`${where}: ${answer.error}`)
    // an alert that is quiet has no data, and should have none
    else if (answer.data?.result.length === 0 && !/^rule [A-Z]/.test(where)) asked.empty.push(where)
    asked.unseen.push(...metricsIn(expr).filter((name) => !seen.has(name)))
  }
  return { ...asked, unseen: [...new Set(asked.unseen)].sort() }
}

/** Whether all of them parse and nearly all have data. */
export const isWell = ({ all, failed, empty }: Asked): boolean => failed.length === 0 && empty.length <= all / 10

/** What to tell of it, one line each. */
export const linesOf = ({ failed, empty, unseen }: Asked): string[] => [
  ...failed.map((line) => `failed       ${line}`),
  ...empty.map((line) => `no data      ${line}`),
  ...unseen.map((line) => `never seen   ${line}`)
]
/** The same in one line. */
export const sumOf = ({ all, failed, empty, unseen }: Asked): string =>
  `${all} expressions: ${failed.length} failed, ${empty.length} without data, ${unseen.length} metrics never seen`

// `bun deploy/prometheus/live.ts [http://localhost:9091]`: ends with 1 where one failed or more than a tenth gave nothing
if (import.meta.main) {
  const asked = await askAll(process.argv[2] ?? 'http://localhost:9091')
  for (const line of [...linesOf(asked), sumOf(asked)]) console.log(line)
  process.exit(isWell(asked) ? 0 : 1)
}
