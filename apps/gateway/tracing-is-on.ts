/** Whether spans go anywhere: OTEL_EXPORTER_OTLP_ENDPOINT says where, to `startTracing` of packages/telemetry. */
export function tracingIsOn(environment: NodeJS.ProcessEnv = process.env): boolean {
  return Boolean(environment['OTEL_EXPORTER_OTLP_ENDPOINT'])
}
