import { cpus, release, totalmem } from 'node:os'
import { join } from 'node:path'
import type { Result } from './row.ts'

const dir = join(import.meta.dir, 'results')

/** Writes a run as JSON, as a Markdown table, and as a chart of how far each figure is from its goal. */
export async function writeReport(results: Result[], names: string[]): Promise<void> {
  const name = names.length > 0 ? names.join('-') : 'all'
  const machine = `${cpus().length} × ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Bun ${Bun.version}`
  const at = Temporal.Now.instant().round('second').toString()
  await Bun.write(join(dir, `${name}.json`), `${JSON.stringify({ at, machine, results }, null, 2)}\n`)
  const cell = ({ what, ours, reference, ratio, goal, met }: Result) =>
    `| ${[what, ours, reference, ratio, goal, met === undefined ? '' : met ? 'met' : '**not met**'].join(' | ')} |`
  const lines = [
    `# Run of ${at}`,
    '',
    `${machine}. Load generators, references and databases share the machine.`,
    '',
    `![How each figure compares with its goal](${name}.svg)`,
    '',
    '| what | ours | reference | ratio | goal | |',
    '| --- | --- | --- | --- | --- | --- |',
    ...results.map(cell),
    ''
  ]
  await Bun.write(join(dir, `${name}.md`), lines.join('\n'))
  await Bun.write(join(dir, `${name}.svg`), chart(results))
}

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

/** A bar per goal: its length is how many times better than the goal the figure is; the line is the goal. */
function chart(results: Result[]): string {
  const bars = results.filter(({ met }) => met !== undefined).map((result) => ({ ...result, times: timesBetter(result) }))
  const [row, left, width] = [26, 430, 320]
  const height = bars.length * row + 30
  const body = bars.map(({ what, times, met, ratio }, nth) => {
    const y = 20 + nth * row
    const long = Math.min(times, 4) * (width / 4)
    const text = `<text x="${left - 8}" y="${y + 13}" text-anchor="end">${escaped(what)}</text>`
    const bar = `<rect x="${left}" y="${y}" width="${long.toFixed(1)}" height="18" fill="${met ? '#2a7' : '#c43'}"/>`
    return `${text}${bar}<text x="${left + long + 6}" y="${y + 13}">${escaped(ratio)}</text>`
  })
  const goal = left + width / 4
  return `<svg xmlns="http://www.w3.org/2000/svg" width="860" height="${height}" viewBox="0 0 860 ${height}" font-family="system-ui,sans-serif" font-size="12">
<title>How each figure compares with its goal</title>
<rect width="860" height="${height}" fill="#fff"/>
<line x1="${goal}" y1="8" x2="${goal}" y2="${height - 6}" stroke="#555" stroke-dasharray="3 3"/><text x="${goal + 4}" y="14" fill="#555">goal</text>
${body.join('\n')}
</svg>
`
}

function timesBetter({ ratio, goal }: Result): number {
  const [figure, limit] = [Number.parseFloat(ratio.replaceAll(',', '')), Number.parseFloat(goal.replace(/^\D+/, ''))]
  return goal.startsWith('at least') ? figure / limit : limit / Math.max(figure, limit / 100)
}
