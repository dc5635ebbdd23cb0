import { AsyncLocalStorage } from 'node:async_hooks'
import pino from 'pino'

/** What a line of log, an outgoing event and an upstream call have in common while one request or message is worked on; `peer` is the address at the other end of the socket. */
export type Trace = { requestId: string; traceparent: string; route?: string | undefined; peer?: string | undefined }

const traces = new AsyncLocalStorage<Trace>()

/** Runs `work` with a trace that every log line below it bears: the only ambient context of this repository. */
export const traced = <T>(trace: Trace, work: () => T): T => traces.run(trace, work)
/** The trace of the request or message at hand, if there is one. */
export const currentTrace = (): Trace | undefined => traces.getStore()

/** JSON lines to stdout. Only what is named is written: no bodies, no query strings, no error texts of the database. */
export const log = pino({
  level: process.env.LOG_LEVEL || 'info',
  base: { service: process.env.SERVICE_NAME ?? 'healthmed' },
  timestamp: pino.stdTimeFunctions.isoTime,
  formatters: { level: (label) => ({ level: label }) },
  mixin: () => {
    const trace = traces.getStore()
    return trace ? { requestId: trace.requestId, traceId: trace.traceparent.split('-')[1] } : {}
  }
})

/** Whatever was thrown, as far as it may be logged: a database error's message and detail hold values of people. */
export function describeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { error: 'not an error', kind: typeof error }
  const { code, constraint_name, table_name, routine, severity } = error as Error & Record<string, unknown>
  if (error.name === 'PostgresError') return { error: error.name, code, constraint: constraint_name, table: table_name, routine, severity }
  return { error: error.name, code, message: error.message, stack: error.stack }
}

const traceparentForm = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

/** A W3C Trace Context header: the same trace with a span of our own, or a new trace where none (or a bad one) came. */
export function traceparentFrom(header: string | null | undefined): string {
  const span = hex(8)
  if (header && traceparentForm.test(header)) return `${header.slice(0, 36)}${span}${header.slice(52)}`
  return `00-${hex(16)}-${span}-01`
}

const STOCK_BYTES = 4_096
let stock = ''
let taken = 0

/** Random digits, cut from a stock: made one by one, their buffers are a fifth of what a call through the gateway costs. */
function hex(bytes: number): string {
  if (taken + bytes * 2 > stock.length) {
    stock = Buffer.from(crypto.getRandomValues(new Uint8Array(STOCK_BYTES))).toString('hex')
    taken = 0
  }
  taken += bytes * 2
  return stock.slice(taken - bytes * 2, taken)
}

/** The client's request id if it is a sane token, else a new one. */
export const requestIdFrom = (header: string | null | undefined): string =>
  header && /^[A-Za-z0-9._-]{1,128}$/.test(header) ? header : crypto.randomUUID()
