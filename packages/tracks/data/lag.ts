import type { ShardId } from '@crossfade/model/ids.ts'
import type { TrackPorts } from '../contract/ports.ts'

/** A stream that has said nothing for this long counts as silent, whatever it said last. */
const silentMsMax = 3_000

export type StreamState = { readonly ready: true } | { readonly ready: false; readonly reason: string }

/** Whether a shard's stream runs now and lags at most `lagMsMax` behind. No news is not good news. */
export async function streamState(ports: TrackPorts, shard: ShardId, lagMsMax: number): Promise<StreamState> {
  const report = await ports.streams.get(shard)
  if (!report || ports.clock.now() - report.at > silentMsMax)
    return { ready: false, reason: `the stream of ${shard} is silent` }
  if (report.lagMs > lagMsMax)
    return {
      ready: false,
      reason: `the stream of ${shard} lags ${Math.round(report.lagMs)} ms, at most ${lagMsMax} ms`,
    }
  if (report.mismatches.length > 0)
    return { ready: false, reason: `${report.mismatches.length} rows of ${shard} differ` }
  return { ready: true }
}
