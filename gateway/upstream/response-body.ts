import { beforeChunks, type Chunks, readChunks } from './chunks.ts'
import type { Head } from './response-head.ts'

/** A body that comes piece by piece. `finished` tells its end, however it came; `end` ends it well before its time. */
export type Streamed = { readable: ReadableStream<Uint8Array>; finished: Promise<void>; end: () => void }

/** What a body needs of its connection: `done` once it is whole or known to be a stream. */
export type Flow = { done: (body: Buffer | Streamed | null) => void; pause: () => void; resume: () => void; cancel: () => void }

type Stream = { push: (piece: Uint8Array) => void; finish: () => void; fail: () => void }

/** A body while it is being read. */
export type Body = {
  framing: Head['framing']
  stays: boolean
  left: number
  chunks: Chunks
  parts: Buffer[]
  stream: Stream | undefined
  flow: Flow
}

/** Bodies of a known length up to this many bytes are read whole: quicker than a stream of one piece. */
const WHOLE = 256 * 1024

const hasNone = ({ status }: Head): boolean => status === 204 || status === 304

/** Whether these bytes, which came with the head, are the whole body of it. */
export const isWhole = (head: Head, bytes: Buffer): boolean => bytes.length > 0 && bytes.length === head.framing && !hasNone(head)

/** Starts to read the body that a head announces. */
export function beginBody(head: Head, isHead: boolean, flow: Flow): Body {
  const framing = isHead || hasNone(head) ? 0 : head.framing
  const body: Body = {
    framing,
    stays: head.stays && framing !== 'close',
    left: 0,
    chunks: beforeChunks(),
    parts: [],
    stream: undefined,
    flow
  }
  if (typeof framing === 'number') body.left = framing
  if (framing === 0 || (typeof framing === 'number' && framing <= WHOLE)) return body
  body.stream = streamed(flow)
  return body
}

/** Takes the bytes that came, or undefined at the end of the connection; true once the body is complete. Throws where more came than belongs to it. */
export function feedBody(body: Body, bytes: Buffer | undefined): boolean {
  const isDone = bytes === undefined || take(body, bytes)
  if (!isDone) return false
  if (body.stream) body.stream.finish()
  else body.flow.done(body.framing === 0 ? null : body.parts.length === 1 ? (body.parts[0] as Buffer) : Buffer.concat(body.parts))
  return true
}

function take(body: Body, bytes: Buffer): boolean {
  const emit = (piece: Buffer) => (body.stream ? body.stream.push(piece) : body.parts.push(piece))
  if (body.framing === 'chunked') {
    if (readChunks(body.chunks, bytes, emit) < bytes.length) throw new Error('more came than the answer')
    return body.chunks.phase === 'done'
  }
  if (body.framing === 'close') {
    if (bytes.length > 0) emit(bytes)
    return false
  }
  if (bytes.length > body.left) throw new Error('more came than the answer')
  if (bytes.length > 0) emit(bytes)
  body.left -= bytes.length
  return body.left === 0
}

function streamed(flow: Flow): Stream {
  const { promise, resolve } = Promise.withResolvers<void>()
  let isOpen = true
  let out: ReadableStreamDefaultController<Uint8Array> | undefined
  const close = (how: () => void) => {
    if (!isOpen) return
    isOpen = false
    how()
    resolve()
  }
  const readable = new ReadableStream<Uint8Array>({
    start: (controller) => {
      out = controller
    },
    pull: () => {
      if (isOpen) flow.resume()
    },
    cancel: () => close(flow.cancel)
  })
  const end = () =>
    close(() => {
      out?.close()
      flow.cancel()
    })
  flow.done({ readable, finished: promise, end })
  return {
    push: (piece) => {
      if (!isOpen) return
      out?.enqueue(piece)
      // a client that reads slowly slows the service down, and fills no memory here
      if ((out?.desiredSize ?? 1) <= 0) flow.pause()
    },
    finish: () => close(() => out?.close()),
    fail: () => close(() => out?.error(new Error('the service broke off its answer')))
  }
}
