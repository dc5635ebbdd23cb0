import type { Socket } from 'bun'
import { type Body, beginBody, feedBody, isWhole, type Streamed } from './response-body.ts'
import { framingOf, readHead } from './response-head.ts'

/** A call as it goes on the wire. `isFresh` asks for a connection that was not used before. */
export type Sent = {
  head: string
  body: Uint8Array | undefined
  isHead: boolean
  isFresh: boolean
  patienceMs: number
  hasLeft: () => boolean
}
/** What came back: a short body whole, a long or endless one as a stream. */
export type Received = { status: number; headers: Record<string, string>; body: Buffer | Streamed | null }

/** Why no answer came: nobody listens, the connection broke, it took too long, or the client went away. */
export class WireError extends Error {
  constructor(readonly kind: 'refused' | 'broken' | 'late' | 'left') {
    super(kind)
  }
}

/** The connections to one replica. */
export type Wire = {
  send: (sent: Sent) => Promise<Received>
  /** Whether an answer of the last moment says that the replica is not about to stop: nothing that is sent now meets its end. */
  isStaying: () => boolean
  /** Whether its last answer said that it is about to stop. */
  isLeaving: () => boolean
  close: () => void
}

type Exchange = {
  sent: Sent
  resolve: (received: Received) => void
  reject: (error: WireError) => void
  line: Line | undefined
  since: number
  /** Answered, its body perhaps still to come, or failed. */
  isOver: boolean
}
type Line = {
  socket: Socket<Line> | undefined
  exchange: Exchange | undefined
  start: Buffer | undefined
  body: Body | undefined
  unsent: Buffer | undefined
  idleSince: number
}

const CONNECT_MS = 3_000
/** Less than the time after which a service closes an idle connection. */
const IDLE_MS = 25_000
/** Well within the time for which a service that stops says so on every answer. */
const STAYS_MS = 200
const MOST_IDLE = 512
const LONGEST_HEAD = 32 * 1024
const SWEEP_MS = 50

const wires = new Set<{ sweep: (now: number) => void }>()
// one timer for all: a timer and a listener for each call would cost more than the call
setInterval(() => {
  const now = performance.now()
  for (const wire of wires) wire.sweep(now)
}, SWEEP_MS).unref()

function watch(exchange: Exchange, now: number): void {
  const age = now - exchange.since
  if (age > exchange.sent.patienceMs) fail(exchange, 'late')
  else if (!exchange.line?.socket && age > CONNECT_MS) fail(exchange, 'refused')
  // asking makes an object for each call: only those that take long are worth it
  else if (age > SWEEP_MS && exchange.sent.hasLeft()) fail(exchange, 'left')
}

function fail(exchange: Exchange, kind: WireError['kind']): void {
  exchange.isOver = true
  if (exchange.line) {
    exchange.line.exchange = undefined
    exchange.line.socket?.terminate()
  }
  exchange.reject(new WireError(kind))
}

/** Keeps connections to a replica at `url` and sends calls through them, one at a time on each. `onFarewell` hears that the replica is about to stop. */
export function wireTo(url: string, onFarewell: () => void = () => {}): Wire {
  const { hostname, port } = new URL(url)
  const address = { hostname: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 80) }
  // the calls that run are found by their lines: a set that each call enters and leaves costs a tenth of what the call does
  const lines = new Set<Line>()
  const idle: Line[] = []
  let isClosed = false
  let stayedAt = Number.NEGATIVE_INFINITY
  let isLeaving = false

  const release = (line: Line): void => {
    // a reader who was slow at the end had it paused: the next call must hear its answer
    line.socket?.resume()
    line.body = undefined
    line.idleSince = performance.now()
    if (isClosed || idle.length >= MOST_IDLE) line.socket?.end()
    else if (line.socket) idle.push(line)
  }
  /** False where the line was closed already and nothing was sent. */
  const begin = (line: Line, exchange: Exchange): boolean => {
    if (!write(line, bytesOf(exchange.sent))) return false
    line.exchange = exchange
    exchange.line = line
    return true
  }
  const received = (line: Line, bytes: Buffer): void => {
    try {
      if (line.body) proceed(line, bytes)
      else if (line.exchange) answered(line, line.exchange, line.start ? Buffer.concat([line.start, bytes]) : bytes)
      // nobody asked: whatever this is, it answers no call
      else line.socket?.terminate()
    } catch {
      broken(line)
    }
  }
  const answered = (line: Line, exchange: Exchange, bytes: Buffer): void => {
    const end = bytes.indexOf('\r\n\r\n')
    line.start = end < 0 ? bytes : undefined
    if (end < 0) {
      if (bytes.length > LONGEST_HEAD) broken(line)
      return
    }
    const head = readHead(bytes.toString('latin1', 0, end))
    // an interim answer, such as 103: the one that counts follows
    if (head.status < 200) {
      received(line, bytes.subarray(end + 4))
      return
    }
    // it was said after the call was sent, however late it is heard
    stayedAt = head.stays ? Math.max(stayedAt, exchange.since) : Number.NEGATIVE_INFINITY
    isLeaving = !head.stays
    if (isLeaving) onFarewell()
    if (exchange.sent.isHead) Object.assign(head.headers, framingOf(head))
    const { status, headers } = head
    const rest = bytes.subarray(end + 4)
    // most answers come whole: nothing has to be kept for the rest of them
    if (!exchange.sent.isHead && isWhole(head, rest)) {
      finish(exchange, { status, headers, body: rest })
      complete(line, head.stays)
      return
    }
    line.body = beginBody(head, exchange.sent.isHead, {
      done: (body) => finish(exchange, { status, headers, body }),
      pause: () => line.socket?.pause(),
      resume: () => line.socket?.resume(),
      cancel: () => line.socket?.terminate()
    })
    proceed(line, rest)
  }
  const proceed = (line: Line, bytes: Buffer): void => {
    const body = line.body as Body
    if (feedBody(body, bytes)) complete(line, body.stays)
  }
  const complete = (line: Line, stays: boolean): void => {
    line.exchange = undefined
    if (stays) {
      // an answer that came before the whole call was sent: what is left of it must not run into the next
      if (line.unsent) line.socket?.terminate()
      else release(line)
      return
    }
    // a replica that bids farewell means all of its connections: a call on one of them could meet its end
    for (const one of [line, ...idle.splice(0)]) one.socket?.end()
  }
  const broken = (line: Line): void => {
    if (line.body?.stream) line.body.stream.fail()
    line.body = undefined
    if (line.exchange) fail(line.exchange, 'broken')
    else line.socket?.terminate()
  }
  const ended = (line: Line): void => {
    const at = idle.indexOf(line)
    if (at >= 0) idle.splice(at, 1)
    lines.delete(line)
    line.socket = undefined
    if (line.body && line.body.framing === 'close') feedBody(line.body, undefined)
    else broken(line)
  }
  const connect = (exchange: Exchange): void => {
    const line: Line = { socket: undefined, exchange, start: undefined, body: undefined, unsent: undefined, idleSince: 0 }
    exchange.line = line
    lines.add(line)
    wires.add(own)
    const unreachable = () => {
      lines.delete(line)
      refused(exchange)
    }
    Bun.connect<Line>({
      ...address,
      data: line,
      socket: {
        open: (socket) => {
          // the call may have failed while the connection was being made
          if (exchange.isOver) {
            socket.terminate()
            return
          }
          line.socket = socket
          socket.setNoDelay(true)
          if (!begin(line, exchange)) refused(exchange)
        },
        data: (_, bytes) => received(line, bytes),
        drain: () => {
          const { unsent } = line
          line.unsent = undefined
          if (unsent) write(line, unsent)
        },
        end: (socket) => {
          socket.end()
        },
        close: () => ended(line),
        error: () => broken(line),
        connectError: unreachable
      }
    }).catch(unreachable)
  }
  const own = {
    sweep: (now: number) => {
      for (const { exchange } of [...lines]) if (exchange && !exchange.isOver) watch(exchange, now)
      if (lines.size === 0) wires.delete(own)
      while (idle[0] && now - idle[0].idleSince > IDLE_MS) idle.shift()?.socket?.end()
    }
  }
  return {
    send: (sent) =>
      new Promise((resolve, reject) => {
        const exchange: Exchange = { sent, resolve, reject, line: undefined, since: performance.now(), isOver: false }
        for (let line = sent.isFresh ? undefined : idle.pop(); line; line = idle.pop()) if (begin(line, exchange)) return
        connect(exchange)
      }),
    isStaying: () => performance.now() - stayedAt < STAYS_MS,
    isLeaving: () => isLeaving,
    close: () => {
      isClosed = true
      for (const line of idle.splice(0)) line.socket?.end()
    }
  }
}

function refused(exchange: Exchange): void {
  // it may have failed for another reason meanwhile
  if (!exchange.isOver) fail(exchange, 'refused')
}

/** A call as it is sent. Text is quicker, and goes as UTF-8: right only for what is ASCII. */
function bytesOf({ head, body }: Sent): string | Buffer {
  if (!body && Buffer.byteLength(head) === head.length) return head
  const bytes = Buffer.from(head, 'latin1')
  return body ? Buffer.concat([bytes, body]) : bytes
}

/** Writes what goes and keeps the rest for later; false where the line is closed. */
function write(line: Line, data: string | Buffer): boolean {
  const written = line.socket?.write(data) ?? -1
  if (written >= 0 && written < data.length) line.unsent = (typeof data === 'string' ? Buffer.from(data) : data).subarray(written)
  return written >= 0
}

function finish(exchange: Exchange, received: Received): void {
  exchange.isOver = true
  exchange.resolve(received)
}
