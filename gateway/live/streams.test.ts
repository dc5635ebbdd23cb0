import { afterAll, beforeAll, expect, test } from 'bun:test'
import { eventually } from '#platform/testing/testing'
import { type Replica, type Rig, replica, rig } from '../testing/testing.ts'

let gateway: Rig
let service: Replica
let left = 0
let answering: Promise<void> | undefined
beforeAll(async () => {
  service = replica(async (request) => {
    request.signal.addEventListener('abort', () => left++)
    await answering
    const body = new ReadableStream({ start: (controller) => controller.enqueue(': here\n\n') })
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  })
  gateway = await rig(service.url)
})
afterAll(async () => {
  await gateway?.stop()
  await service?.stop()
})

/** Opens a stream of a session and tells when it is over. */
async function open(sid: string) {
  const response = await fetch(`${gateway.url}/v1/events`, { headers: { authorization: await gateway.signer.bearer({ sid }) } })
  const stream = { status: response.status, isOver: false }
  response.text().then(
    () => Object.assign(stream, { isOver: true }),
    () => Object.assign(stream, { isOver: true })
  )
  return stream
}

test('streams end with their session, at the service too, and those of other sessions go on', async () => {
  const [one, two, other] = await Promise.all([open('s1'), open('s1'), open('s2')])
  expect([one, two, other].map(({ status }) => status)).toEqual([200, 200, 200])
  gateway.signer.end('s1')
  await eventually(() => one.isOver && two.isOver && left === 2, 2_000)
  expect(other.isOver).toBe(false)
  gateway.signer.end('s2')
  await eventually(() => other.isOver && left === 3, 2_000)
})

test('a stream whose session ends while the service is still to answer ends as well', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  answering = promise
  const before = service.seen.length
  const opening = open('s3')
  await eventually(() => service.seen.length > before)
  gateway.signer.end('s3')
  resolve()
  const stream = await opening
  await eventually(() => stream.isOver, 2_000)
})
