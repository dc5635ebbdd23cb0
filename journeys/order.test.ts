import { afterAll, beforeAll, expect, test } from 'bun:test'
import { eventually } from '#platform/testing/testing'
import { call, newDoctor, newPatient, type Person, slotsOf } from './client.ts'
import { type System, startSystem } from './system.ts'

const APPOINTMENTS = 500
let system: System
let doctors: Person[]
let patients: Person[]

beforeAll(async () => {
  system = await startSystem({ BOOKING_LIMIT: '1000', BOOKING_LIMIT_PER_SPECIALTY: '1000' }, { scheduling: 3, notifier: 3 })
  doctors = await Promise.all(Array.from({ length: 5 }, () => newDoctor(system, { slotMinutes: 15 })))
  patients = await Promise.all(Array.from({ length: 5 }, () => newPatient(system)))
}, 120_000)
afterAll(() => system?.stop(), 30_000)

type State = { status: string; start: string }
const act = async (who: Person, id: string, action: string, body: object) => {
  const answer = await call<State>(system, 'POST', `/v1/appointments/${id}/${action}`, { token: who.token, body })
  expect([action, answer.status]).toEqual([action, 200])
  return answer.body
}

/** What the mail of each last state is called, by its calendar part or else its subject. */
const says = (raw: string) => /^Subject: (.*)$/m.exec(raw)?.[1] ?? ''

test('500 appointments booked, moved, cancelled over three relays and three notifiers: for each the last mail is its last state', async () => {
  const last = new Map<string, { status: string; parties: Person[] }>()
  await Promise.all(
    doctors.map(async (doctor, index) => {
      const patient = patients[index] as Person
      const slots = await slotsOf(system, doctor.id)
      // three slots for each: booked in the first, moved to the second
      for (let nth = 0; nth < APPOINTMENTS / doctors.length; nth++) {
        const [first, second] = [slots[nth * 2], slots[nth * 2 + 1]]
        const booked = await call<{ id: string }>(system, 'POST', '/v1/appointments', {
          token: patient.token,
          body: { doctorId: doctor.id, start: first?.start }
        })
        expect(booked.status).toBe(201)
        const { id } = booked.body
        let { status } = await act(doctor, id, 'reschedule', { start: second?.start })
        if (nth % 2 === 0) ({ status } = await act(patient, id, 'cancel', { reason: 'mudança de planos' }))
        last.set(id, { status, parties: [doctor, patient] })
      }
    })
  )
  const mailsOf = (id: string, to: string) =>
    system.mailbox.mails.filter((mail) => mail.to === to && String(mail.parsed.references ?? '').includes(id))
  const wanted = { cancelled: /method=CANCEL/, confirmed: /method=REQUEST/ } as Record<string, RegExp>
  await eventually(
    () =>
      [...last].every(([id, { status, parties }]) =>
        parties.every(({ email }) => wanted[status]?.test(mailsOf(id, email).at(-1)?.raw ?? ''))
      ),
    90_000
  ).catch(() => {
    const wrong = [...last].filter(
      ([id, { status, parties }]) => !parties.every(({ email }) => wanted[status]?.test(mailsOf(id, email).at(-1)?.raw ?? ''))
    )
    const [id = '', state] = wrong[0] ?? []
    const subjects = state?.parties.map(({ email }) => mailsOf(id, email).map(({ raw }) => says(raw)))
    throw new Error(`${wrong.length} appointments end with another mail, such as ${id}: ${state?.status}, ${JSON.stringify(subjects)}`)
  })
  // and none twice
  const ids = system.mailbox.mails.map(({ parsed }) => parsed.messageId)
  expect(new Set(ids).size).toBe(ids.length)
  // what was told rose with the changes: no mail of an older state after one of a newer
  for (const [id, { parties }] of last) {
    for (const { email } of parties) {
      const sequences = mailsOf(id, email).map(({ raw }) => Number(/SEQUENCE:(\d+)/.exec(raw)?.[1] ?? 0))
      expect(sequences).toEqual([...sequences].sort((a, b) => a - b))
    }
  }
}, 240_000)
