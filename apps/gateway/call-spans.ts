import type { ToolCaller } from '@crossfade/mcp/upstream/upstream.ts'
import {
  defaultTextMapGetter,
  defaultTextMapSetter,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { tracingIsOn } from './tracing-is-on.ts'

/** What MCP clients send is W3C trace context, whatever else this process may propagate. */
const traceContext = new W3CTraceContextPropagator()

/**
 * One span for each tool call, by hand: below the span that the client names in `_meta.traceparent`, and above whatever the upstream makes of the `traceparent` it is sent.
 * Holds service, instance, tool, status and code; no argument, no answer. When tracing is off the caller comes back as it is, and costs nothing. `caller` must be a plain object.
 */
export function withSpans<Caller extends ToolCaller>(
  caller: Caller,
  tracer: Tracer | null = tracingIsOn() ? trace.getTracer('crossfade-mcp') : null,
): Caller {
  if (tracer === null) return caller
  const call: ToolCaller['call'] = async (given) => {
    const { session, tool, traceparent } = given
    const parent =
      traceparent === undefined
        ? ROOT_CONTEXT
        : traceContext.extract(ROOT_CONTEXT, { traceparent }, defaultTextMapGetter)
    const span = tracer.startSpan(
      `tools/call ${tool.name}`,
      {
        kind: SpanKind.SERVER,
        attributes: {
          'mcp.method.name': 'tools/call',
          'gen_ai.tool.name': tool.name,
          'crossfade.service': session.serviceType,
          'crossfade.instance': session.instanceId,
        },
      },
      parent,
    )
    const carrier: Record<string, string> = {}
    traceContext.inject(trace.setSpan(parent, span), carrier, defaultTextMapSetter)
    const own = carrier['traceparent']
    try {
      const outcome = await caller.call(own === undefined ? given : { ...given, traceparent: own })
      if (outcome.statusCode > 0) span.setAttribute('http.response.status_code', outcome.statusCode)
      if (outcome.errorCode !== null)
        span.setAttribute('error.type', outcome.errorCode).setStatus({ code: SpanStatusCode.ERROR })
      return outcome
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR })
      throw error
    } finally {
      span.end()
    }
  }
  return { ...caller, call }
}
