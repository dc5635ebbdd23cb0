import { type Attributes, diag, ROOT_CONTEXT, SpanKind, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api'
import { log, traceparentFrom } from './log.ts'

/** A piece of work as OpenTelemetry sees it: `traceparent` is what its parts are told (W3C Trace Context), `end` closes it with what is known by then. */
export type Span = { traceparent: string; end: (outcome?: { name?: string; attributes?: Attributes; failed?: boolean }) => void }

const kinds = { server: SpanKind.SERVER, client: SpanKind.CLIENT, producer: SpanKind.PRODUCER, consumer: SpanKind.CONSUMER }
const FLUSH_MS = 1_500

type Provider = { tracer: Tracer; shutdown: () => Promise<void> }
// only who names a collector pays for this, in memory as in time
const provider = process.env.OTEL_EXPORTER_OTLP_ENDPOINT ? await exportSpans() : undefined

async function exportSpans(): Promise<Provider> {
  const { BatchSpanProcessor, TracerProvider } = await import('@opentelemetry/sdk-trace')
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http')
  const { resourceFromAttributes } = await import('@opentelemetry/resources')
  const tell = (message: string) => log.warn({ reason: message.slice(0, 300) }, 'spans could not be exported')
  diag.setLogger({ error: tell, warn: tell, info: () => {}, debug: () => {}, verbose: () => {} })
  const service = process.env.OTEL_SERVICE_NAME ?? process.env.SERVICE_NAME ?? 'healthmed'
  const spans = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': service, 'service.namespace': 'healthmed' }),
    // address and headers come from the variables that OpenTelemetry has for them
    spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter(), scheduledDelayMillis: 1_000 })]
  })
  return { tracer: spans.getTracer('healthmed'), shutdown: () => spans.shutdown() }
}

/**
 * Begins a span below `parent`, a traceparent; without a good one it is the first of a new trace. Names and attributes hold no personal data: routes and
 * types, never paths or addresses. Where no collector is named (`OTEL_EXPORTER_OTLP_ENDPOINT`) only the traceparent is made.
 */
export function openSpan(kind: keyof typeof kinds, name: string, parent: string | null | undefined, attributes?: Attributes): Span {
  if (!provider) return { traceparent: traceparentFrom(parent), end: () => {} }
  const span = provider.tracer.startSpan(name, { kind: kinds[kind], ...(attributes && { attributes }) }, contextOf(parent))
  const { traceId, spanId, traceFlags } = span.spanContext()
  return {
    traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`,
    end: ({ name: better, attributes: more, failed } = {}) => {
      if (better) span.updateName(better)
      if (more) span.setAttributes(more)
      if (failed) span.setStatus({ code: SpanStatusCode.ERROR })
      span.end()
    }
  }
}

/** Does `work` within a span; it fails where the work throws. */
export async function spanned<T>(span: Span, work: () => Promise<T>): Promise<T> {
  try {
    const result = await work()
    span.end()
    return result
  } catch (error) {
    span.end({ failed: true })
    throw error
  }
}

/** Sends what is left of the spans, before the process ends. */
export const flushSpans = (): Promise<unknown> => Promise.race([provider?.shutdown().catch(() => {}), Bun.sleep(FLUSH_MS)])

function contextOf(parent: string | null | undefined) {
  const [, traceId, spanId, flags] = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(parent ?? '') ?? []
  if (!traceId || !spanId) return ROOT_CONTEXT
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: Number.parseInt(flags ?? '0', 16), isRemote: true })
}
