import type { ShardId } from '@crossfade/model/ids.ts'
import { authority } from '@crossfade/model/stage.ts'
import type { TrackPorts } from '@crossfade/tracks/contract/ports.ts'
import type { HttpGet } from './gates.ts'
import type { JournaledState } from './journaled-state.ts'
import { inTime } from './look-in-time.ts'
import { askProbe } from './probes.ts'
import type { ShardLook } from './shard-looks.ts'
import type { ThrottleLook } from './throttle.ts'
import { inWindow } from './windows.ts'

/** Our own streams are no replicas. */
const replicaLagSql = `SELECT coalesce(max(extract(epoch FROM replay_lag)) * 1000, 0)::float8 FROM pg_catalog.pg_stat_replication WHERE application_name NOT LIKE 'crossfade%'`

/** What the throttle decides by, from the databases as they were just seen and from the plan's probes, which are asked now. A silent probe is said in it, never thrown. */
export async function throttleLook(
  ports: TrackPorts,
  state: JournaledState,
  shards: readonly ShardLook[],
  httpGet: HttpGet,
): Promise<ThrottleLook> {
  const { throttle } = ports.plan
  // Latency counts where the live traffic is.
  const live = new Set(ports.plan[authority[state.seen.place.stage]].shards.map((shard) => shard.id))
  const own = shards.filter((shard) => live.has(shard.shard))
  const probes = await Promise.all(throttle.probes.map((probe) => askProbe(ports, probe, httpGet)))
  const latencies = probes.some((probe) => probe.latencyMs !== null)
    ? probes.map((probe) => probe.latencyMs)
    : own.map((shard) => shard.latencyMs)
  const held = shards
    .filter((shard) => shard.walHeldBytes !== null)
    .toSorted((a, b) => b.walHeldBytes! - a.walHeldBytes!)[0]
  return {
    latencyMs: greatest(latencies),
    overLimit: probes.flatMap((probe) => probe.over ?? []),
    silent: probes.flatMap((probe) => probe.silent ?? []),
    activeBackends: greatest(own.map((shard) => shard.activeBackends)),
    replicaLagMs: throttle.replicaLagMsMax === null ? null : await replicaLag(ports, [...live]),
    walHeld: held ? { shard: held.shard, bytes: held.walHeldBytes! } : null,
    diskFreeBytes: least(shards.map((shard) => shard.diskFreeBytes)),
    inWindow: inWindow(throttle.windows, ports.clock.now()),
  }
}

/** By how many milliseconds the farthest replica of these databases is behind; null when none of them could be asked. */
async function replicaLag(ports: TrackPorts, shards: readonly ShardId[]): Promise<number | null> {
  const lags = await Promise.all(
    shards.map((shard) =>
      inTime(ports, ports.plane.observation.probe(shard, replicaLagSql)).then(
        (answer) => answer.value,
        () => null,
      ),
    ),
  )
  return greatest(lags)
}

function greatest(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null)
  return known.length === 0 ? null : Math.max(...known)
}

function least(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null)
  return known.length === 0 ? null : Math.min(...known)
}
