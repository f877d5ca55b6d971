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
