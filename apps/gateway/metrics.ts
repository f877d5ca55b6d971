// What a worker counts for Prometheus, and how it is given away. Prometheus' own library is loaded with the first scrape: neither a start nor a process that nobody scrapes carries it.
import type { UsageRecorder } from '@crossfade/mcp/usage/usage.ts'
import type { MetricSources, MetricsSnapshot } from './metric-sources.ts'
import { RequestStats } from './request-stats.ts'

export interface GatewayMetrics {
  /** Records requests on their way to `recorder`. */
  metered(recorder: UsageRecorder): UsageRecorder
  /** What was counted since the start; what is measured of the process itself (its event loop, its collections) since the first snapshot. */
  snapshot(): Promise<MetricsSnapshot>
}

export const metricsContentType = 'text/plain; version=0.0.4; charset=utf-8'

/** `worker` tells processes apart where a sum would say nothing: memory, event loop, sessions. */
export function createGatewayMetrics(sources: MetricSources, worker: string = String(process.pid)): GatewayMetrics {
  const stats = new RequestStats()
  let opened: Promise<() => Promise<MetricsSnapshot>> | null = null
  const open = async () => {
    const { openMetricsRegistry } = await import('./metrics-registry.ts')
    return openMetricsRegistry(stats, sources, worker)
  }
  return {
    metered: (recorder) => ({
      record(record) {
        stats.add(record)
        recorder.record(record)
      },
      get dropped() {
        return recorder.dropped
      },
      flush: () => recorder.flush(),
      close: () => recorder.close(),
    }),
    async snapshot() {
      opened ??= open()
      return (await opened)()
    },
  }
}

/** The text of a scrape: counters and histograms of all processes added up, gauges by their worker. */
export async function metricsText(snapshots: readonly MetricsSnapshot[]): Promise<string> {
  const { textOf } = await import('./metrics-registry.ts')
  return textOf(snapshots)
}
