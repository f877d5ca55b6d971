import type { CountingCallLimits } from '@crossfade/mcp/limits/call-limits.ts'
import type { BreakerReport } from '@crossfade/mcp/upstream/origin-breakers.ts'
import type { CountingUsageRecorder } from '@crossfade/mcp/usage/recorder.ts'

/** What a worker's metrics look at when they are asked for; what is left out is not shown. */
export interface MetricSources {
  readonly usage?: Pick<CountingUsageRecorder, 'counts'>
  readonly limits?: Pick<CountingCallLimits, 'keys' | 'refused'>
  readonly sessions?: () => number
  readonly breakers?: () => readonly BreakerReport[]
}

/** Metrics of one process as they travel to another. */
export type MetricsSnapshot = readonly object[]
