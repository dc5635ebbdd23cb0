/** Minutes to wait after the first, second … temporary refusal. */
const LADDER = [1, 5, 30, 120, 360]

/** When a mail that was refused for the time being is tried again; undefined when its tries are used up. `attempts` counts the one just made. */
export function nextTry(attempts: number, now: Temporal.Instant): Temporal.Instant | undefined {
  const minutes = LADDER[attempts - 1]
  return minutes === undefined ? undefined : now.add({ minutes })
}
