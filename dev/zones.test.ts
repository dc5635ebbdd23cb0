import { expect, test } from 'bun:test'

test('tests run in the zone that was asked for, else in UTC', () => {
  const zone = process.env.TZ ?? 'UTC'
  expect([new Intl.DateTimeFormat().resolvedOptions().timeZone, Temporal.Now.timeZoneId()]).toEqual([zone, zone])
  // a Date of January shows an offset of its own in two of the three
  const offsets: Record<string, number> = { UTC: 0, 'America/Sao_Paulo': 180, 'Pacific/Kiritimati': -840 }
  if (zone in offsets) expect(new Date('2027-01-04T12:00:00Z').getTimezoneOffset()).toBe(offsets[zone] as number)
})
