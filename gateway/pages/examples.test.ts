import { expect, test } from 'bun:test'
import type { Document } from './documents.ts'
import { withLiveExamples } from './examples.ts'

const doctorId = '019b0d5e-3c4f-7a31-9f0e-2f6f1f0c9a11'
const document = (path: string) =>
  ({
    info: {},
    paths: { [path]: { post: { example: { doctorId, start: '2027-01-05T11:00:00Z', day: '2027-01-12', at: '2027-01-04T09:12:33.12Z' } } } }
  }) as Document
const exampleOf = (path: string, today: string, found?: Parameters<typeof withLiveExamples>[2]) =>
  (withLiveExamples(document(path), Temporal.PlainDate.from(today), found).paths as Record<string, { post: { example: object } }>)[path]
    ?.post.example

test('examples name a doctor and a slot of this system', () => {
  const found = { doctorId: 'somebody', slots: [{ start: '2031-05-06T12:00:00Z', end: '2031-05-06T12:30:00Z' }] }
  expect(exampleOf('/v1/appointments', '2031-05-05', found)).toMatchObject({ doctorId: 'somebody', start: '2031-05-06T12:00:00Z' })
  // nobody is rejected because an administrator tried an example
  expect(exampleOf('/v1/admin/doctors/{id}/reject', '2031-05-05', found)).toMatchObject({ doctorId })
})

test.each([
  ['2027-01-04', '2027-01-12'],
  ['2027-01-05', '2027-01-19'],
  ['2031-05-05', '2031-05-13'],
  ['2026-11-30', '2026-12-08']
])('on %s the dates of examples lie ahead, on their weekdays', (today, day) => {
  const example = exampleOf('/v1/waitlist', today) as Record<'day' | 'start' | 'at', string>
  expect(example.day).toBe(day)
  expect(Temporal.PlainDate.from(example.day).dayOfWeek).toBe(2)
  expect(Temporal.PlainDate.compare(example.start.slice(0, 10), today)).toBe(1)
  expect(example.at).toMatch(/T09:12:33\.12Z$/)
})
