import type { Socket } from 'bun'

/** What came of one request. `ms` counts from when it was due, so that a late start is not hidden. */
export type Answer = { status: number; ms: number; nth: number; body: Buffer }

/** A load: `connections` kept open, each with one request at a time; as fast as they go, or `rate` requests a second. */
export type Load = {
  url: string
  connections: number
  seconds: number
  rate?: number
  /** The nth request, whole, as it goes on the wire; undefined ends the load. */
  next: (nth: number) => string | undefined
  seen?: (answer: Answer) => void
}

/** What a load came to. Times in ms, sorted; `broken` are requests that no answer came to. */
export type Outcome = { perSecond: number; times: number[]; statuses: Record<number, number>; broken: number; seconds: number }

type Line = { socket: Socket; nth: number; due: number; isBusy: boolean; pieces: Buffer[] }

/**
 * Drives a load from this process, over plain sockets: what the generator itself costs is taken from the machine that is measured, and `fetch` costs
 * several times as much.
 */
export async function drive(load: Load): Promise<Outcome> {
  const { hostname, port } = new URL(load.url)
  const times: number[] = []
  const statuses: Record<number, number> = {}
  const lines: Line[] = []
  let [sent, broken, done, isOver] = [0, 0, false, false]
  let finish = () => {}
  const finished = new Promise<void>((resolve) => {
    finish = resolve
  })
  const begin = performance.now()
  const end = begin + load.seconds * 1000

  const send = (line: Line) => {
    const now = performance.now()
    const due = load.rate ? begin + (sent * 1000) / load.rate : now
    const isDue = now < end && due <= now && !isOver
    const request = isDue ? load.next(sent) : undefined
    if (request === undefined) {
      isOver ||= isDue || now >= end
      if (isOver && lines.every(({ isBusy }) => !isBusy)) finish()
      return
    }
    Object.assign(line, { nth: sent++, due, isBusy: true })
    line.socket.write(request)
  }
  const received = (line: Line, data: Buffer) => {
    line.pieces.push(data)
    const whole = line.pieces.length === 1 ? data : Buffer.concat(line.pieces)
    const bodyAt = bodyOf(whole)
    if (bodyAt === undefined) {
      line.pieces = [whole]
      return
    }
    line.pieces = []
    line.isBusy = false
    const status = Number(whole.toString('latin1', 9, 12))
    const ms = performance.now() - line.due
    times.push(ms)
    statuses[status] = (statuses[status] ?? 0) + 1
    load.seen?.({ status, ms, nth: line.nth, body: whole.subarray(bodyAt) })
    send(line)
  }
  const closed = (line: Line) => {
    // one that was never needed is closed by the other side after a while, and counts for nothing
    if (lines.includes(line)) lines.splice(lines.indexOf(line), 1)
    if (!done && line.isBusy) broken++
  }

  await Promise.all(
    Array.from({ length: load.connections }, async () => {
      const line = { nth: 0, due: 0, isBusy: false, pieces: [] } as unknown as Line
      line.socket = await Bun.connect({
        hostname,
        port: Number(port),
        socket: { data: (_, data) => received(line, data), close: () => closed(line), error: () => closed(line) }
      })
      lines.push(line)
    })
  )
  for (const line of lines) send(line)
  // starts what is due, where a rate is asked for. Without one it only sees the end, and each look costs the machine that is measured
  const clock = setInterval(
    () => {
      for (const line of [...lines]) if (!line.isBusy) send(line)
      if (performance.now() > end + 20_000) finish()
    },
    load.rate ? 1 : 20
  )
  await finished
  clearInterval(clock)
  const seconds = Math.min(performance.now() - begin, Math.max(load.seconds * 1000, 1)) / 1000
  broken += lines.filter(({ isBusy }) => isBusy).length
  done = true
  for (const { socket } of [...lines]) socket.terminate()
  return { perSecond: times.length / seconds, times: times.sort((a, b) => a - b), statuses, broken, seconds }
}

/** Where the body of a whole answer begins; undefined while some of it is still to come. */
export function bodyOf(answer: Buffer): number | undefined {
  const headEnd = answer.indexOf('\r\n\r\n')
  if (headEnd < 0) return undefined
  const head = answer.toString('latin1', 0, headEnd).toLowerCase()
  const at = headEnd + 4
  const length = /\r\ncontent-length: (\d+)/.exec(head)?.[1]
  if (length !== undefined) return answer.length >= at + Number(length) ? at : undefined
  if (head.includes('\r\ntransfer-encoding: chunked')) return answer.subarray(-5).toString('latin1') === '0\r\n\r\n' ? at : undefined
  return at
}

/** The value that this share of sorted times does not exceed. */
export const quantile = (sorted: number[], share: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN

/** A request as it goes on the wire. */
export function request(method: string, path: string, token?: string, body?: unknown): string {
  const head = `${method} ${path} HTTP/1.1\r\nhost: bench\r\n${token ? `authorization: Bearer ${token}\r\n` : ''}`
  if (body === undefined) return `${head}\r\n`
  const text = JSON.stringify(body)
  return `${head}content-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`
}
