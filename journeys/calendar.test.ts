import { afterAll, beforeAll, expect, test } from 'bun:test'
import ICAL from 'ical.js'
import SQL from 'sql-template-strings'
import { connect, run } from '#platform/data/db'
import { eventually } from '#platform/testing/testing'
import { call, newDoctor, newPatient, type Person, slotsOf } from './client.ts'
import { type System, startSystem } from './system.ts'

let system: System
let doctor: Person
let patient: Person
let slots: { start: string }[]
const feeds = new Map<Person, string>()

beforeAll(async () => {
  system = await startSystem()
  doctor = await newDoctor(system, { name: 'Dra. Íris Conceição' })
  patient = await newPatient(system, { name: 'João Ávila' })
  slots = await slotsOf(system, doctor.id)
  for (const person of [doctor, patient])
    feeds.set(person, (await call<{ url: string }>(system, 'POST', '/v1/calendar-feed', { token: person.token })).body.url)
}, 120_000)
afterAll(() => system?.stop(), 30_000)

/** What the three places say of an entry: they must say the same. */
type Entry = { uid: string; sequence: number; status: string; start: string; organizer: string }

function entryIn(text: string, id: string): Entry | undefined {
  const event = new ICAL.Component(ICAL.parse(text))
    .getAllSubcomponents('vevent')
    .find((each) => String(each.getFirstPropertyValue('uid')).startsWith(id))
  const of = (name: string) => event?.getFirstPropertyValue(name)
  return (
    event && {
      uid: String(of('uid')),
      sequence: Number(of('sequence')),
      status: String(of('status')),
      start: (of('dtstart') as ICAL.Time).toJSDate().toISOString(),
      organizer: String(of('organizer'))
    }
  )
}

const read = async (url: string, token?: string) =>
  (await fetch(url, token ? { headers: { authorization: `Bearer ${token}` } } : {})).text()
const calendarMails = ({ email }: Person, id: string) =>
  system.mailbox.mails
    .filter((mail) => mail.to === email && String(mail.parsed.references ?? '').includes(id))
    .flatMap(({ parsed }) => parsed.attachments.find(({ contentType }) => contentType === 'text/calendar') ?? [])

/** Compares file, feed and newest mail for both parties once `mails` calendar mails have come. */
async function compare(id: string, { status, mails }: { status: string; mails: number }): Promise<number> {
  const sequences = await Promise.all(
    [doctor, patient].map(async (person) => {
      const told = await eventually(() => calendarMails(person, id).length === mails && { newest: calendarMails(person, id).at(-1) })
      const file = entryIn(await read(`${system.url}/v1/appointments/${id}/calendar.ics`, person.token), id) as Entry
      const feed = entryIn(await read(feeds.get(person) as string), id)
      expect([status, feed]).toEqual([status, file])
      const mail = told.newest && entryIn(told.newest.content.toString(), id)
      // a visit that took place was moved into the past by this test, behind the mail's back
      if (mail) expect([status, { ...mail, start: '' }]).toEqual([status, { ...file, start: '' }])
      return file.sequence
    })
  )
  expect(new Set(sequences).size).toBe(1)
  return sequences[0] as number
}

let next = 0
const free = () => slots[next++]?.start ?? ''
const act = async (who: Person, id: string, verb: string, body?: object) => {
  const answer = await call<{ status: string }>(system, 'POST', `/v1/appointments/${id}/${verb}`, { token: who.token, body })
  expect([verb, answer.status]).toEqual([verb, 200])
  return answer.body.status
}
const book = async () => {
  const body = { doctorId: doctor.id, start: free() }
  const answer = await call<{ id: string }>(system, 'POST', '/v1/appointments', { token: patient.token, body })
  expect(answer.status).toBe(201)
  return answer.body.id
}
const confirmed = async () => {
  const id = await book()
  const status = await act(doctor, id, 'confirm')
  return { id, sequence: await compare(id, { status, mails: 1 }) }
}
const change = async (statement: ReturnType<typeof SQL>) => {
  const sql = connect(system.database.urlOf('scheduling'), { name: 'test', max: 1 })
  await run(sql, statement)
  await sql.end()
}

test('requested, confirmed, moved by either, confirmed again and cancelled: file, feed and mail say the same and the number rises', async () => {
  const id = await book()
  const seen = [await compare(id, { status: 'requested', mails: 0 })]
  const steps = [
    () => act(doctor, id, 'confirm'),
    () => act(patient, id, 'reschedule', { start: free() }),
    () => act(doctor, id, 'confirm'),
    () => act(doctor, id, 'reschedule', { start: free() }),
    () => act(patient, id, 'cancel', { reason: 'Vou viajar' })
  ]
  for (const [index, step] of steps.entries()) seen.push(await compare(id, { status: await step(), mails: index + 1 }))
  expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b))
}, 60_000)

test('a confirmed one that is moved and then declined, or not answered, is cancelled in all three', async () => {
  const [one, other] = [await confirmed(), await confirmed()]
  for (const { id } of [one, other]) await compare(id, { status: await act(patient, id, 'reschedule', { start: free() }), mails: 2 })
  await compare(one.id, { status: await act(doctor, one.id, 'decline', { reason: 'Congresso' }), mails: 3 })
  await change(SQL`update appointments set expires_at = now() - interval '1 minute' where id = ${other.id}::uuid`)
  await eventually(
    async () =>
      (await call<{ status: string }>(system, 'GET', `/v1/appointments/${other.id}`, { token: patient.token })).body.status === 'expired'
  )
  await compare(other.id, { status: 'expired', mails: 3 })
}, 60_000)

test.each(['complete', 'no-show'])(
  'after %s, of which no mail is sent, the entry is still the one of the last mail',
  async (verb) => {
    const { id, sequence } = await confirmed()
    const ago = `${verb.length} days`
    await change(
      SQL`update appointments set during = tstzrange(lower(during) - ${ago}::interval, upper(during) - ${ago}::interval),
               doctor_during = tstzrange(lower(doctor_during) - ${ago}::interval, upper(doctor_during) - ${ago}::interval) where id = ${id}::uuid`
    )
    expect(await compare(id, { status: await act(doctor, id, verb), mails: 1 })).toBe(sequence)
  },
  60_000
)

test('through the gateway a feed that has not changed is not sent again, and one that was given up is not there', async () => {
  const url = feeds.get(patient) as string
  const first = await fetch(url)
  const tag = first.headers.get('etag') ?? ''
  const again = await fetch(url, { headers: { 'if-none-match': tag } })
  expect([first.status, again.status, await again.text()]).toEqual([200, 304, ''])
  await book()
  const changed = await fetch(url, { headers: { 'if-none-match': tag } })
  expect(changed.status).toBe(200)
  expect(changed.headers.get('etag')).not.toBe(tag)
  expect((await call(system, 'DELETE', '/v1/calendar-feed', { token: patient.token })).status).toBe(204)
  expect((await fetch(url, { headers: { 'if-none-match': tag } })).status).toBe(404)
})
