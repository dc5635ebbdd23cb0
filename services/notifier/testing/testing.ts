import { sealOfSetting } from '#platform/data/seal'
import { connectBus } from '#platform/events/bus'
import { type AppointmentSnapshot, type Event, type EventData, type EventType, sourceOf, type UserSnapshot } from '#platform/events/events'
import { consumerOf } from '#platform/events/inbox'
import { traceparentFrom } from '#platform/setup/log'
import { eventually, testBroker, testDatabase } from '#platform/testing/testing'
import { deadLetterSubscription } from '../admin/dead-letters.ts'
import { startDelivery } from '../delivery/deliver.ts'
import { openSmtp } from '../delivery/smtp.ts'
import { handlersOf } from '../handlers.ts'
import { senderOf } from '../mails/compose.ts'
import { startSink } from './smtp-sink.ts'

/** A patient as auth tells of one. */
export const somePatient = (more: Partial<UserSnapshot> = {}): UserSnapshot => ({
  id: Bun.randomUUIDv7(),
  role: 'patient',
  name: 'João Ávila',
  email: `joao-${crypto.randomUUID().slice(0, 8)}@example.com`,
  emailVerified: true,
  locale: 'pt-BR',
  timezone: 'America/Sao_Paulo',
  crm: null,
  approval: null,
  disabled: false,
  version: 1,
  ...more
})

/** A doctor as auth tells of one. */
export const someDoctor = (more: Partial<UserSnapshot> = {}): UserSnapshot =>
  somePatient({
    role: 'doctor',
    name: 'Dra. Íris Conceição',
    email: `iris-${crypto.randomUUID().slice(0, 8)}@example.com`,
    crm: '123456-SP',
    approval: 'approved',
    ...more
  })

/** An appointment as scheduling tells of one, requested a moment ago for 7 January 2027, 08:00 in São Paulo. */
export const someAppointment = (
  doctor: UserSnapshot,
  patient: UserSnapshot,
  more: Partial<AppointmentSnapshot> = {}
): AppointmentSnapshot => ({
  id: Bun.randomUUIDv7(),
  doctorId: doctor.id,
  patientId: patient.id,
  start: '2027-01-07T11:00:00Z',
  end: '2027-01-07T12:00:00Z',
  timezone: 'America/Sao_Paulo',
  status: 'requested',
  statusReason: null,
  previousStart: null,
  actor: { id: patient.id, role: 'patient' },
  version: 1,
  createdAt: '2027-01-01T12:00:00Z',
  ...more
})

/** An event as a relay publishes it. */
export const someEvent = <T extends EventType>(type: T, data: EventData<T>, time = Temporal.Now.instant().toString()): Event<T> => ({
  specversion: '1.0',
  id: Bun.randomUUIDv7(),
  type,
  source: sourceOf(type),
  subject: data.id,
  time,
  datacontenttype: 'application/json',
  traceparent: traceparentFrom(null),
  requestid: crypto.randomUUID(),
  data
})

/** Keys of a test: the notifier's own, and those that it shares. */
export const secrets = {
  own: sealOfSetting('a1'.repeat(32)),
  ofAuth: sealOfSetting('a2'.repeat(32)),
  ofScheduling: sealOfSetting('a3'.repeat(32))
}

/** The notifier's working parts in this process, on a database, virtual host and mail server of their own. */
export type Rig = Awaited<ReturnType<typeof startRig>>

/** Starts them. `clock` decides when mails and reminders are due. */
export async function startRig({ clock = () => Temporal.Now.instant(), connections = 10 } = {}) {
  const database = await testDatabase('notifier')
  const vhost = await testBroker()
  const sink = await startSink()
  const { sql } = database
  const consumer = consumerOf(sql, 'notifier', handlersOf(secrets))
  const bus = await connectBus({
    url: vhost.url,
    name: 'notifier',
    subscription: [consumer.subscription, deadLetterSubscription(sql, clock)]
  })
  const consuming = consumer.start(bus)
  const smtp = openSmtp(sink.url, { connections, limitMs: 3_000 })
  const sender = senderOf('Health&Med <no-reply@healthmed.example>', 'http://localhost:8080')
  const worker = crypto.randomUUID()
  const delivery = startDelivery({ sql, smtp, sender, secrets, worker, clock }, connections)
  await eventually(bus.connected)
  return {
    sql,
    bus,
    sink,
    sender,
    database,
    vhostUrl: vhost.url,
    publish: async (...events: Event[]) => {
      for (const event of events) await bus.publish(event)
    },
    /** The mails to an address once there are so many of them. */
    mailsTo: (address: string, count: number, limitMs?: number) =>
      eventually(() => sink.to(address).length >= count && sink.to(address), limitMs),
    stop: async () => {
      await consuming.stop()
      await bus.stopConsuming()
      await delivery.stop()
      await bus.close()
      await sink.close()
      await database.close()
      await vhost.close()
    }
  }
}
