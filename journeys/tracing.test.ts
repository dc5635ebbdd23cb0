import { afterAll, beforeAll, expect, test } from 'bun:test'
import { eventually } from '#platform/testing/testing'
import { call, newDoctor, newPatient, slotsOf } from './client.ts'
import { type System, startSystem } from './system.ts'

/* One booking is one trace, from the gateway to the mail: told to a collector of OpenTelemetry (OTLP over HTTP, JSON). */
type Span = { service: string; name: string; traceId: string; spanId: string; parentSpanId?: string; text: string }
type Resource = { attributes: { key: string; value: { stringValue?: string } }[] }
type Export = { resourceSpans: { resource: Resource; scopeSpans: { spans: Omit<Span, 'service' | 'text'>[] }[] }[] }

const spans: Span[] = []
const collector = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch: async (request) => {
    if (new URL(request.url).pathname !== '/v1/traces') return new Response(null, { status: 404 })
    for (const { resource, scopeSpans } of ((await request.json()) as Export).resourceSpans) {
      const service = resource.attributes.find(({ key }) => key === 'service.name')?.value.stringValue ?? ''
      for (const span of scopeSpans.flatMap((scope) => scope.spans)) spans.push({ ...span, service, text: JSON.stringify(span) })
    }
    return Response.json({})
  }
})

let system: System
beforeAll(async () => {
  system = await startSystem({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.port}` })
}, 120_000)
afterAll(async () => {
  await system?.stop()
  await collector.stop(true)
}, 30_000)

const lineage = (span: Span | undefined): string[] => {
  if (!span) return []
  const parent = spans.find(({ traceId, spanId }) => traceId === span.traceId && spanId === span.parentSpanId)
  return [...lineage(parent), `${span.service}: ${span.name}`]
}

test('a booking is one trace from the gateway to both mails, under the client’s own where it sends one', async () => {
  const doctor = await newDoctor(system, { name: 'Dra. Iara Nogueira' })
  const patient = await newPatient(system, { name: 'Caetano Prado' })
  const [slot] = await slotsOf(system, doctor.id)
  const [traceId, clientSpan] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7']
  const body = { doctorId: doctor.id, start: slot?.start, reason: 'dor de cabeça' }
  const headers = { traceparent: `00-${traceId}-${clientSpan}-01` }
  const booked = await call(system, 'POST', '/v1/appointments', { token: patient.token, body, headers })
  expect(booked.status).toBe(201)

  const of = (name: string) => spans.filter((span) => span.traceId === traceId && span.name === name)
  await eventually(() => of('send appointment_requested').length >= 2)
  const event = 'healthmed.appointment.requested.v1'
  await eventually(() => lineage(of('send appointment_requested')[0]).length === 5)
  for (const mail of of('send appointment_requested')) {
    expect(lineage(mail)).toEqual([
      'gateway: POST /v1/appointments',
      'scheduling: POST /v1/appointments',
      `scheduling: publish ${event}`,
      `notifier: process ${event}`,
      'notifier: send appointment_requested'
    ])
  }
  expect(of('POST /v1/appointments').find(({ service }) => service === 'gateway')?.parentSpanId).toBe(clientSpan)
  // spans leave the house: they name routes and types, and nobody
  const told = spans.map(({ text }) => text).join('\n')
  for (const secret of ['Caetano', 'Nogueira', patient.email, doctor.email, 'dor de', booked.body.id]) expect(told).not.toContain(secret)
}, 60_000)

test('what was not yet sent when a process is asked to end is sent before it ends', async () => {
  const { status } = await call(system, 'GET', '/v1/doctors?q=nobody-in-particular')
  expect(status).toBe(200)
  await system.terminate('scheduling')
  expect(spans.some(({ service, name }) => service === 'scheduling' && name === 'GET /v1/doctors')).toBe(true)
  expect(spans.map(({ text }) => text).join('\n')).not.toContain('nobody-in-particular')
}, 30_000)
