// Prometheus metrics of the platform. Each worker counts for itself; whoever is scraped answers for all of them (metrics-exchange.ts).
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { AggregatorRegistry, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { MetricSources, MetricsSnapshot } from './metric-sources.ts'
import { durationBoundsMs, type RequestStats } from './request-stats.ts'

/** Opens the registry of one worker; returns what reads it. */
export function openMetricsRegistry(
  stats: RequestStats,
  sources: MetricSources,
  worker: string,
): () => Promise<MetricsSnapshot> {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, prefix: 'crossfade_mcp_' })
  register(registry, requestsMetric(stats))
  register(registry, durationsMetric(stats))
  register(registry, codesMetric(stats))
  registerSources(registry, sources, worker)
  return () => registry.getMetricsAsJSON()
}

export function textOf(snapshots: readonly MetricsSnapshot[]): Promise<string> {
  return AggregatorRegistry.aggregate([...snapshots]).metrics()
}

interface Value {
  readonly value: number
  readonly labels: Readonly<Record<string, string | number>>
  readonly metricName?: string
}

interface OwnMetric {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'histogram' | 'gauge'
  readonly values: () => Value[]
}

/** Prometheus' library takes any object that answers `get`; so counts stay where they are counted. */
function register(registry: Registry, { name, help, type, values }: OwnMetric): void {
  const metric = { name, get: () => ({ name, help, type, aggregator: 'sum', values: values() }) }
  registry.registerMetric(metric as unknown as Parameters<Registry['registerMetric']>[0])
}

function requestsMetric(stats: RequestStats): OwnMetric {
  return {
    name: 'crossfade_mcp_requests_total',
    help: 'MCP requests by service, method and outcome: ok, upstream (the service behind is in trouble), refused (a limit), error.',
    type: 'counter',
    values: () =>
      [...stats.counts()].map(({ service, method, outcome, count }) => ({
        value: count,
        labels: { service, method, outcome },
      })),
  }
}

function durationsMetric(stats: RequestStats): OwnMetric {
  const name = 'crossfade_mcp_request_duration_seconds'
  return {
    name,
    help: 'Time to answer an MCP request, the upstream included; tools/call are the tool calls.',
    type: 'histogram',
    values: () =>
      [...stats.durations()].flatMap(({ service, method, upTo, count, totalMs }) => {
        const labels = { service, method }
        const buckets = durationBoundsMs.map((bound, index) => ({
          metricName: `${name}_bucket`,
          labels: { ...labels, le: bound / 1000 },
          value: upTo[index]!,
        }))
        return [
          ...buckets,
          { metricName: `${name}_bucket`, labels: { ...labels, le: '+Inf' }, value: count },
          { metricName: `${name}_sum`, labels, value: totalMs / 1000 },
          { metricName: `${name}_count`, labels, value: count },
        ]
      }),
  }
}

function codesMetric(stats: RequestStats): OwnMetric {
  return {
    name: 'crossfade_mcp_errors_total',
    help: 'Requests that ended with a code of docs/reference/errors.md.',
    type: 'counter',
    values: () => [...stats.codes()].map(([code, count]) => ({ value: count, labels: { code } })),
  }
}

const breakerLevels = { closed: 0, 'half-open': 1, open: 2 } as const

function registerSources(registry: Registry, sources: MetricSources, worker: string): void {
  const { usage, limits, sessions, breakers } = sources
  const counter = (name: string, help: string, values: () => Value[]) =>
    register(registry, { name: `crossfade_mcp_${name}`, help, type: 'counter', values })
  const gauge = (name: string, help: string, values: () => Value[]) =>
    register(registry, { name: `crossfade_mcp_${name}`, help, type: 'gauge', values })
  if (usage) {
    counter('usage_records_total', 'Records of usage by what became of them.', () => {
      const { written, dropped, refused } = usage.counts
      return Object.entries({ written, dropped, refused }).map(([outcome, value]) => ({ value, labels: { outcome } }))
    })
    gauge('usage_records_waiting', 'Records that wait for the database.', () => [
      { value: usage.counts.waiting, labels: { worker } },
    ])
  }
  if (limits) {
    counter('calls_refused_total', 'Calls that a limit refused.', () =>
      Object.entries(limits.refused).map(([reason, value]) => ({ value, labels: { reason } })),
    )
    gauge('limited_keys', 'Users, instances and services whose calls are being counted.', () => [
      { value: limits.keys, labels: { worker } },
    ])
  }
  if (sessions)
    gauge('sessions_cached', 'Opened instances held in memory.', () => [{ value: sessions(), labels: { worker } }])
  if (breakers)
    gauge('breaker_state', 'Circuit breakers that are not closed: 1 half-open, 2 open; the worst of a service.', () => {
      const worst = new Map<string, number>()
      for (const { serviceType, state } of breakers())
        if (state !== 'closed') worst.set(serviceType, Math.max(worst.get(serviceType) ?? 0, breakerLevels[state]))
      return [...worst].map(([service, value]) => ({ value, labels: { service, worker } }))
    })
  registerProcess(registry, worker)
}

/** How often the event loop's delay is looked at. */
const loopResolutionMs = 20

function registerProcess(registry: Registry, worker: string): void {
  const delay = monitorEventLoopDelay({ resolution: loopResolutionMs })
  delay.enable()
  const gauge = (name: string, help: string, look: () => number) =>
    new Gauge({
      name: `crossfade_mcp_worker_${name}`,
      help,
      labelNames: ['worker'],
      registers: [registry],
      collect() {
        this.set({ worker }, look())
      },
    })
  gauge('memory_bytes', 'Resident memory of a worker.', () => process.memoryUsage.rss())
  gauge('event_loop_delay_p99_seconds', 'Delay of the event loop since the last scrape, 99th percentile.', () => {
    const seconds = Math.max(0, delay.percentile(99) / 1e9 - loopResolutionMs / 1000)
    delay.reset()
    return Number.isFinite(seconds) ? seconds : 0
  })
}
