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
