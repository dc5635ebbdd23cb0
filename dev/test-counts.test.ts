import { expect, test } from 'bun:test'
import { countsOf, summary } from './test-counts.ts'

const report = (head: string) => `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="bun test" ${head} time="2.2">\n</testsuites>`

test('counts come from the head of the report', () => {
  const counts = countsOf(report('tests="96" assertions="182" failures="6" skipped="0"'), 1)
  expect(summary(counts)).toBe('90 passed, 6 failed')
})

test('a failure outside of any test is counted, though no report names it', () => {
  expect(countsOf(report('tests="3" assertions="3" failures="0" skipped="0"'), 1)).toEqual({ passed: 3, failed: 1, skipped: 0, ok: false })
  expect(countsOf('', 1)).toMatchObject({ passed: 0, failed: 1 })
})

test('skipped tests are neither passed nor failed', () => {
  expect(summary(countsOf(report('tests="5" failures="0" skipped="2"'), 0))).toBe('3 passed, 0 failed, 2 skipped')
})
