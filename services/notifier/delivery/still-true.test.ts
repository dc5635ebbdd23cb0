import { expect, test } from 'bun:test'
import { nextTry } from './retry-schedule.ts'
import { type Standing, whySuperseded } from './still-true.ts'

const now = new Date('2027-01-01T12:00:00Z')
const start = new Date('2027-01-07T11:00:00Z')
const later = new Date('2027-01-08T11:00:00Z')
const ago = (seconds: number) => new Date(+now - seconds * 1000)
type Appointment = NonNullable<Standing['appointment']>
const mail = (more: Partial<Standing> = {}, appointment: Partial<Appointment['now']> & Partial<Appointment> = {}): Standing => {
  const {
    laterSent = false,
    laterWaits = false,
    mail: told = { version: 1, start },
    version = 1,
    status = 'requested',
    start: newest = start
  } = appointment
  return {
    template: 'appointment_requested',
    eventAt: ago(60),
    attempts: 1,
    expiresAt: null,
    recipientErased: false,
    appointment: { mail: told, now: { version, status, start: newest }, laterSent, laterWaits },
    ...more
  }
}

const cases: [string, Standing, boolean][] = [
  ['what is still so', mail(), true],
  ['a request that was confirmed meanwhile', mail({}, { version: 2, status: 'confirmed' }), true],
  ['a request that was cancelled meanwhile', mail({}, { version: 2, status: 'cancelled' }), false],
  ['a confirmation after a move', mail({ template: 'appointment_confirmed' }, { version: 2, status: 'confirmed', start: later }), false],
  ['news that are under way when the next come', mail({ eventAt: ago(1) }, { version: 2, status: 'cancelled' }), true],
  ['news that come after the ones behind them', mail({ eventAt: ago(0) }, { version: 2, status: 'confirmed', laterSent: true }), false],
  [
    'news that the server refused, with others behind them',
    mail({ attempts: 2 }, { version: 2, status: 'confirmed', laterWaits: true }),
    false
  ],
  ['news that the server refused, with none behind them', mail({ attempts: 2 }, { version: 2, status: 'completed' }), true],
  ['a reminder while confirmed', mail({ template: 'reminder_1h' }, { status: 'confirmed' }), true],
  [
    'a reminder a moment after the cancellation',
    mail({ template: 'reminder_1h', eventAt: now }, { version: 2, status: 'cancelled' }),
    false
  ],
  ['a reminder of a time it was moved from', mail({ template: 'reminder_24h' }, { version: 2, status: 'confirmed', start: later }), false],
  [
    'a reminder once the visit has begun',
    mail({ template: 'reminder_1h' }, { status: 'confirmed', start: now, mail: { version: 1, start: now } }),
    false
  ],
  ['a link that has expired', mail({ template: 'verify_email', appointment: null, expiresAt: now }), false],
  ['a link that is good', mail({ template: 'verify_email', appointment: null, expiresAt: later }), true],
  ['anything to an erased person', mail({ recipientErased: true }), false]
]

test.each(cases)('%s: does it leave?', (_, standing, leaves) => {
  expect(whySuperseded(standing, now) === undefined).toBe(leaves)
})

test('a refused mail is tried again after 1, 5, 30 minutes, 2 and 6 hours, and then no more', () => {
  const at = Temporal.Instant.from('2027-01-01T12:00:00Z')
  const waits = [1, 2, 3, 4, 5, 6].map((attempts) => nextTry(attempts, at)?.since(at).total('minutes'))
  expect(waits).toEqual([1, 5, 30, 120, 360, undefined])
})
