const tty = process.stdout.isTTY === true
const coloured = tty && !process.env.NO_COLOR && process.env.TERM !== 'dumb'

const paint = (code: number) => (text: string) => (coloured ? `\x1b[${code}m${text}\x1b[0m` : text)
/** Colours on a terminal that wants them; plain text elsewhere. */
export const bold = paint(1)
export const dim = paint(2)
export const red = paint(31)
export const green = paint(32)
export const yellow = paint(33)
export const cyan = paint(36)

const LABEL_WIDTH = 44
const underway = new Map<string, number>()
let clock: ReturnType<typeof setInterval> | undefined

// whoever read this may be gone (`| tee` ends with the same Ctrl-C, a terminal is closed): what was started must still be ended in its order
process.stdout.on('error', () => {})

/** Prints a line above the one that says what is under way. */
export function say(line = ''): void {
  if (tty) process.stdout.write('\r\x1b[K')
  process.stdout.write(`${line}\n`)
  showUnderway()
}

/** Does one step and prints it with the time that it took; what it answers may add a remark. Steps may run at the same time. */
export async function step<T>(
  label: string,
  work: () => Promise<T>,
  remark: (result: T) => string | undefined = () => undefined
): Promise<T> {
  const since = performance.now()
  underway.set(label, since)
  clock ??= tty ? setInterval(showUnderway, 250) : undefined
  let mark = red('✗')
  let words: string | undefined
  try {
    const result = await work()
    mark = green('✓')
    words = remark(result)
    return result
  } finally {
    underway.delete(label)
    if (underway.size === 0) {
      clearInterval(clock)
      clock = undefined
    }
    say(`  ${mark} ${label.padEnd(LABEL_WIDTH)} ${seconds(since).padStart(7)}${words ? `   ${dim(words)}` : ''}`)
  }
}

/** The time since a moment of `performance.now()`, as `1.2 s`. */
export const seconds = (since: number) => `${((performance.now() - since) / 1000).toFixed(1)} s`

function showUnderway(): void {
  if (!tty || underway.size === 0) return
  const names = [...underway].map(([label, since]) => `${label} (${Math.round((performance.now() - since) / 1000)} s)`).join(', ')
  const width = (process.stdout.columns ?? 80) - 6
  process.stdout.write(`\r\x1b[K  ${cyan('…')} ${dim(names.length > width ? `${names.slice(0, width)}…` : names)}`)
}

/** Rows under bold headings, each column as wide as its widest cell. */
export function table(headings: string[], rows: string[][]): string {
  const widths = headings.map((heading, column) => Math.max(heading.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: string[]) =>
    `  ${cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('   ')
      .trimEnd()}`
  return [bold(line(headings)), ...rows.map(line)].join('\n')
}
