/** What came of a run of tests; `ok` is what the runner itself says of it. */
export type Counts = { passed: number; failed: number; skipped: number; ok: boolean }

/**
 * Counts from a JUnit report, as `bun test` writes one. What fails outside a test, such as a file that cannot be loaded,
 * stands in no report but in the exit code: it counts as one failure.
 */
export function countsOf(report: string, exitCode: number): Counts {
  const head = /<testsuites\b[^>]*>/.exec(report)?.[0] ?? ''
  const number = (name: string) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(head)?.[1] ?? 0)
  const failures = number('failures') + number('errors')
  const skipped = number('skipped')
  const failed = exitCode !== 0 && failures === 0 ? 1 : failures
  return { passed: Math.max(0, number('tests') - failures - skipped), failed, skipped, ok: exitCode === 0 }
}

/** The closing line: `N passed, N failed`, and how many were skipped where some were. */
export const summary = ({ passed, failed, skipped }: Counts) =>
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
