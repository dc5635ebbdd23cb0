/** One line of the table. `ratio` is what the goal is about; `met` is undefined where there is no goal. */
export type Result = {
  what: string
  ours: string
  reference: string
  ratio: string
  goal: string
  met: boolean | undefined
  /** Whatever else was measured, for the report. */
  details: Record<string, unknown>
}

/** A result with a goal of at least or at most `limit`. */
export function judged(
  what: string,
  {
    ours,
    reference = '',
    value,
    unit = '',
    goal,
    details = {}
  }: {
    ours: string
    reference?: string
    value: number
    unit?: string
    goal: ['at least' | 'under', number]
    details?: Record<string, unknown>
  }
): Result {
  const [bound, limit] = goal
  const met = bound === 'at least' ? value >= limit : value < limit
  return { what, ours, reference, ratio: `${value.toFixed(value < 10 ? 2 : 0)}${unit}`, goal: `${bound} ${limit}${unit}`, met, details }
}

/** Throws where an answer was not what it had to be: a figure for wrong answers is worth nothing. */
export function requireStatuses({ statuses, broken }: { statuses: Record<number, number>; broken: number }, ...good: number[]): void {
  const wrong = Object.entries(statuses).filter(([status]) => !good.includes(Number(status)))
  if (wrong.length > 0 || broken > 0) throw new Error(`wrong answers: ${JSON.stringify({ ...Object.fromEntries(wrong), broken })}`)
}

/** A number of a second, a time in ms. */
export const perSecond = (value: number) => `${value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en')} /s`
export const ms = (value: number) => `${value < 10 ? value.toFixed(2) : value.toFixed(0)} ms`
