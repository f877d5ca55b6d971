import { fail } from '@crossfade/model/failure.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import { authority } from '@crossfade/model/stage.ts'
import type { ThrottleProbe } from '@crossfade/pipeline/resolved-plan.ts'
import type { TrackPorts } from '@crossfade/tracks/contract/ports.ts'
import { entry } from './entries.ts'
import type { HttpGet } from './gates.ts'
import type { JournaledState } from './journaled-state.ts'
import type { ControlStore, Sample } from './store.ts'
import { Throttle, type ThrottleDecision, type ThrottleLook } from './throttle.ts'
import { failureView } from './trouble.ts'
import { inWindow } from './windows.ts'

const lookMs = 1_000
/** Samples are kept for a day, and cleared out every so often. */
const samplesKeptMs = 24 * 60 * 60 * 1_000
const pruneMs = 60_000
/** A database that does not answer within this counts as silent at this look. */
const probeMsMax = 2_000
const plainProbe = 'SELECT 1'
/** Our own streams are no replicas. */
const replicaLagSql = `SELECT coalesce(max(extract(epoch FROM replay_lag)) * 1000, 0)::float8 FROM pg_catalog.pg_stat_replication WHERE application_name NOT LIKE 'crossfade%'`

interface ShardLook {
  readonly shard: ShardId
  readonly reachable: boolean
  readonly activeBackends: number | null
  readonly sizeBytes: number | null
  readonly walHeldBytes: number | null
  readonly slotActive: boolean | null
  readonly slotLost: boolean
  readonly latencyMs: number | null
  readonly diskFreeBytes: number | null
}

/** Looks at databases, streams and tasks once a second while this process holds the migration: posts what it sees, keeps samples for plots, and runs the throttle. */
export function observer(store: ControlStore, httpGet: HttpGet) {
  return async (ports: TrackPorts, state: JournaledState, signal: AbortSignal): Promise<void> => {
    const rates = new Rates()
    const throttle = new Throttle(ports.plan.throttle)
    let last: ThrottleDecision['state'] = 'open'
    let prunedAt = ports.clock.now()
    for (;;) {
      signal.throwIfAborted()
      try {
        const shards = await lookAtShards(ports)
        for (const shard of shards) await store.board.put(ports.migration, 'shard', shard.shard, { ...shard })
        const decision = throttle.decide(await throttleLook(ports, state, shards, httpGet))
        const { walExceeded, ...shown } = decision
        await store.board.put(ports.migration, 'throttle', 'throttle', { ...shown })
        if ((decision.state === 'paused') !== (last === 'paused')) {
          await state.append([entry('throttle', { state: decision.state, reason: decision.reason })])
          last = decision.state
        }
        if (walExceeded && !state.seen.failure) await failClosed(ports, state, walExceeded)
        await store.samples.add(ports.migration, await samplesOf(store, ports, shards, decision, rates))
        if (ports.clock.now() - prunedAt > pruneMs) {
          prunedAt = ports.clock.now()
          await store.samples.prune(prunedAt - samplesKeptMs)
        }
      } catch (error) {
        // What can't be seen at this look is seen at the next; a lost lease ends the reconciler by itself.
        if (signal.aborted) throw error
      }
      await ports.clock.sleep(lookMs, signal)
    }
  }
}

/** D05: rather than fill the source's disk the migration stops. The slot stays until a person says `abort`, for dropping it loses the changes. */
async function failClosed(
  ports: TrackPorts,
  state: JournaledState,
  wal: { readonly shard: ShardId; readonly bytes: number },
): Promise<void> {
  const failure = fail('CF6008', { shard: wal.shard, bytes: wal.bytes, limit: ports.plan.throttle.walBytesMax })
  await state.append([
    entry('stopped', { failure: failureView(failure, `the slot of ${wal.shard}`, ports.clock.now(), null) }),
  ])
}

function lookAtShards(ports: TrackPorts): Promise<readonly ShardLook[]> {
  const { observation } = ports.plane
  return Promise.all(
    [...ports.plan.source.shards, ...ports.plan.target.shards].map(async ({ id }): Promise<ShardLook> => {
      try {
        const health = await inTime(ports, observation.shardHealth(id))
        const probe = health.reachable ? await inTime(ports, observation.probe(id, plainProbe)) : null
        return {
          shard: id,
          ...health,
          latencyMs: probe?.latencyMs ?? null,
          diskFreeBytes: health.diskFreeBytes ?? null,
        }
      } catch {
        return {
          shard: id,
          reachable: false,
          activeBackends: null,
          sizeBytes: null,
          walHeldBytes: null,
          slotActive: null,
          slotLost: false,
          latencyMs: null,
          diskFreeBytes: null,
        }
      }
    }),
  )
}

async function throttleLook(
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

interface ProbeAnswer {
  readonly latencyMs: number | null
  readonly over: string | null
  readonly silent: string | null
}

async function askProbe(ports: TrackPorts, probe: ThrottleProbe, httpGet: HttpGet): Promise<ProbeAnswer> {
  try {
    const begun = ports.clock.now()
    const answer =
      probe.kind === 'query'
        ? await inTime(ports, ports.plane.observation.probe(probe.shard, probe.sql))
        : await httpProbe(probe, httpGet, ports, begun)
    const figure = probe.kind === 'query' && probe.value === 'latency' ? answer.latencyMs : answer.value
    const over =
      probe.max !== null && figure !== null && figure > probe.max
        ? `${probe.name} is ${figure}, at most ${probe.max}`
        : null
    const latencyMs = probe.kind === 'query' && probe.value === 'latency' ? answer.latencyMs : null
    return { latencyMs, over, silent: figure === null ? `${probe.name} gave no number` : null }
  } catch {
    return { latencyMs: null, over: null, silent: `${probe.name} did not answer` }
  }
}

async function httpProbe(
  probe: Extract<ThrottleProbe, { kind: 'http' }>,
  httpGet: HttpGet,
  ports: TrackPorts,
  begun: number,
) {
  const answer = await httpGet(probe.url, probeMsMax)
  const value = answer.status >= 200 && answer.status < 300 ? numberAt(answer.text, probe.path) : null
  return { latencyMs: ports.clock.now() - begun, value }
}

/** `a.b.0` in a JSON text; the whole text when the path is empty. */
export function numberAt(text: string, path: string): number | null {
  let at: unknown
  try {
    at = JSON.parse(text)
  } catch {
    return null
  }
  for (const part of path.split('.').filter((name) => name !== '' && name !== '$'))
    at = typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[part] : undefined
  return typeof at === 'number' && Number.isFinite(at) ? at : null
}

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

async function samplesOf(
  store: ControlStore,
  ports: TrackPorts,
  shards: readonly ShardLook[],
  decision: ThrottleDecision,
  rates: Rates,
): Promise<readonly Sample[]> {
  const at = ports.clock.now()
  const samples: Sample[] = []
  const add = (name: string, value: number | null) => {
    if (value !== null && Number.isFinite(value)) samples.push({ name, at, value })
  }
  const copy = await store.tasks.totals(ports.migration, 'copy')
  const verified = await store.tasks.totals(ports.migration, 'verify')
  add('copy.bytesPerSecond', rates.of('copy.bytes', copy.bytesDone, at))
  add('copy.rowsPerSecond', rates.of('copy.rows', copy.rowsDone, at))
  add('verify.rowsPerSecond', rates.of('verify.rows', verified.rowsDone, at))
  let changes = 0
  let touched = 0
  for (const { id } of [...ports.plan.source.shards, ...ports.plan.target.shards]) {
    const stream = await ports.streams.get(id)
    if (!stream || at - stream.at > probeMsMax * 2) continue
    changes += stream.rowsPerSecond
    touched += stream.touched
    add(`lagMs.${id}`, stream.lagMs)
    add(`lagBytes.${id}`, stream.lagBytes)
    add(`rowsPerSecond.${id}`, stream.rowsPerSecond)
  }
  add('changes.rowsPerSecond', changes)
  add('touched', touched)
  add('throttle.bytesPerSecondMax', decision.bytesPerSecondMax)
  for (const shard of shards) {
    add(`walHeldBytes.${shard.shard}`, shard.walHeldBytes)
    add(`activeBackends.${shard.shard}`, shard.activeBackends)
    add(`latencyMs.${shard.shard}`, shard.latencyMs)
  }
  return samples
}

/** Rates from totals. A total that falls (its tasks were forgotten) begins anew. */
class Rates {
  readonly #last = new Map<string, { readonly total: number; readonly at: number }>()

  of(name: string, total: number, at: number): number | null {
    const last = this.#last.get(name)
    this.#last.set(name, { total, at })
    if (!last || at <= last.at) return null
    return total < last.total ? 0 : ((total - last.total) / (at - last.at)) * 1_000
  }
}

async function inTime<T>(ports: TrackPorts, work: Promise<T>): Promise<T> {
  const done = new AbortController()
  const late = ports.clock.sleep(probeMsMax, done.signal).then(() => {
    throw fail('CF6007', { where: 'a look at a database', reason: `no answer within ${probeMsMax} ms` })
  })
  late.catch(() => undefined)
  try {
    return await Promise.race([work, late])
  } finally {
    done.abort(new Error('done'))
  }
}

function greatest(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null)
  return known.length === 0 ? null : Math.max(...known)
}

function least(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null)
  return known.length === 0 ? null : Math.min(...known)
}
