import { context, propagation, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import type { Api } from './api.ts'

const tracer = trace.getTracer('crossfade')

/**
 * One span for each request of the API, by hand. Without an exporter (`startTracing`) the calls cost next to nothing.
 * A caller's `traceparent` is taken up, so that its trace goes on here.
 */
export function traced(app: Api): void {
  const spans = new WeakMap<object, Span>()
  app.addHook('onRequest', async (request) => {
    const parent = propagation.extract(context.active(), request.headers)
    const span = tracer.startSpan(
      `${request.method} ${request.routeOptions.url ?? 'unknown'}`,
      {
        kind: SpanKind.SERVER,
        attributes: { 'http.request.method': request.method, 'http.route': request.routeOptions.url ?? '' },
      },
      parent,
    )
    spans.set(request, span)
  })
  app.addHook('onError', async (request, _reply, error) => {
    spans.get(request)?.setStatus({ code: SpanStatusCode.ERROR, message: error.message })
  })
  app.addHook('onResponse', async (request, reply) => {
    spans.get(request)?.setAttribute('http.response.status_code', reply.statusCode).end()
  })
}

/** Sends spans to an OTLP collector, under the service name of OTEL_SERVICE_NAME (default `crossfade`). Returns what flushes and stops it. */
export async function startTracing(endpoint: string, version: string): Promise<() => Promise<void>> {
  // Loaded only when asked for: the exporter is the heaviest part of the server.
  const { NodeTracerProvider, BatchSpanProcessor } = await import('@opentelemetry/sdk-trace-node')
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http')
  const { resourceFromAttributes } = await import('@opentelemetry/resources')
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({
      'service.name': process.env['OTEL_SERVICE_NAME'] ?? 'crossfade',
      'service.version': version,
    }),
    spanProcessors: [
      new BatchSpanProcessor(new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, '')}/v1/traces` })),
    ],
  })
  provider.register()
  return () => provider.shutdown()
}
