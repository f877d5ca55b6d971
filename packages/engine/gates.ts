import type { Evidence } from '@crossfade/model/evidence.ts'
import { reasonOf } from '@crossfade/model/failure.ts'
import { authority, rung, type Stage, stages } from '@crossfade/model/stage.ts'
import type { ResolvedGate } from '@crossfade/pipeline/resolved-plan.ts'
import type { TrackPorts } from '@crossfade/tracks/contract/ports.ts'
import { entry } from './entries.ts'
import type { JournaledState } from './journaled-state.ts'
import type { ControlStore } from './store.ts'

/** A stream or a probe that has said nothing for this long is unknown. */
const freshMs = 5_000
const httpTimeoutMs = 5_000

export interface HttpAnswer {
  readonly status: number
  readonly text: string
}
export type HttpGet = (url: string, timeoutMs: number) => Promise<HttpAnswer>

export interface GateKeeper {
  /** Looks at gates now. Changes of a verdict are journaled; how long a gate has passed survives a crash. */
  evaluate(gates: readonly ResolvedGate[], state: JournaledState): Promise<readonly Evidence[]>
  /** Looks at the gates of the stage we are at that the plan wants watched, and asks for the retreat when one has failed for too long. Unknown is never a reason. */
  watch(state: JournaledState): Promise<void>
}

/** Whether any of them holds the stage at `now`: not passing (unknown included), or not for long enough. */
export function holding(evidence: readonly Evidence[], now: number): boolean {
  return evidence.some((each) => each.passingSince === null || Date.parse(each.passingSince) + each.soakMs > now)
}

type Look = Pick<Evidence, 'verdict' | 'detail' | 'value' | 'limit' | 'unit'>

/** Keeps the gates of the migrations that this process reconciles, one keeper for each. */
export function gateKeeper(store: ControlStore, httpGet: HttpGet): (ports: TrackPorts) => GateKeeper {
  return (ports) => new Keeper(store, httpGet, ports)
}

class Keeper implements GateKeeper {
  readonly #store: ControlStore
  readonly #httpGet: HttpGet
  readonly #ports: TrackPorts
  readonly #failingSince = new Map<string, number>()

  constructor(store: ControlStore, httpGet: HttpGet, ports: TrackPorts) {
    this.#store = store
    this.#httpGet = httpGet
    this.#ports = ports
  }

  async evaluate(gates: readonly ResolvedGate[], state: JournaledState): Promise<readonly Evidence[]> {
    const all: Evidence[] = []
    for (const gate of gates) all.push(await this.#evaluate(gate, state))
    return all
  }

  async watch(state: JournaledState): Promise<void> {
    const { place } = state.seen
    if (place.moving || place.desired !== place.stage) return
    for (const gate of this.#ports.plan.gates) {
      if (gate.stage !== place.stage || gate.retreatAfterMs === null) continue
      const evidence = await this.#evaluate(gate, state)
      const now = this.#ports.clock.now()
      if (evidence.verdict !== 'fail') {
        this.#failingSince.delete(gate.name)
        continue
      }
      const since = this.#failingSince.get(gate.name) ?? now
      this.#failingSince.set(gate.name, since)
      if (now - since < gate.retreatAfterMs) continue
      // Somebody asked for something else while the gate was looked at: what they want goes before.
      if (state.seen.place !== place) return
      const below = stages[rung(place.stage) - 1]
      if (!below || place.stage === 'complete') continue
      this.#failingSince.delete(gate.name)
      await state.append([entry('gate-breached', { stage: place.stage, evidence, desired: below })], {
        expectedVersion: state.seen.version,
      })
      return
    }
  }

  async #evaluate(gate: ResolvedGate, state: JournaledState): Promise<Evidence> {
    const { migration, clock } = this.#ports
    const look = await this.#look(gate, state).catch((error: unknown): Look => unknown(reasonOf(error)))
    const now = clock.now()
    const posted = await this.#store.board.get(migration, 'gate', gate.name)
    const before = (posted?.body ?? null) as Evidence | null
    const since = look.verdict === 'pass' ? (before?.passingSince ?? new Date(now).toISOString()) : null
    const left = since === null ? 0 : Date.parse(since) + gate.soakMs - now
    const detail = left > 0 ? `${look.detail}; must hold for another ${Math.ceil(left / 1000)} s` : look.detail
    const evidence: Evidence = { gate: gate.name, ...look, detail, passingSince: since, soakMs: gate.soakMs }
    await this.#store.board.put(migration, 'gate', gate.name, { ...evidence, stage: gate.stage })
    const last = state.seen.gates[gate.name]
    if (last?.verdict !== evidence.verdict) await state.append([entry('gate', { stage: gate.stage, evidence })])
    return evidence
  }

  async #look(gate: ResolvedGate, state: JournaledState): Promise<Look> {
    switch (gate.kind) {
      case 'lag':
        return this.#lag(gate)
      case 'verified':
        return this.#verified()
      case 'manual':
        return state.seen.approved.has(gate.name)
          ? { ...nothing, verdict: 'pass', detail: 'approved' }
          : { ...nothing, verdict: 'fail', detail: 'waits for a person: `crossfade advance`, or the console' }
      case 'query': {
        if (gate.shard === null || gate.sql === null) return unknown('the plan names no shard or no SQL')
        const { value } = await this.#ports.plane.observation.probe(gate.shard, gate.sql)
        return value === null
          ? unknown('the query gave no number')
          : compared(value, gate.limit ?? 0, null, 'the query gave')
      }
      case 'http':
        return this.#http(gate)
      case 'latency': {
        const posted = await this.#store.board.get(this.#ports.migration, 'throttle', 'throttle')
        const value =
          posted && this.#ports.clock.now() - posted.at <= freshMs ? (posted.body['latencyMs'] as number | null) : null
        return value === null ? unknown('no latency was measured') : compared(value, gate.limit ?? 0, 'ms', 'latency')
      }
    }
  }

  async #lag(gate: ResolvedGate): Promise<Look> {
    const { plan, clock, streams } = this.#ports
    // Up to the cutover the way there counts, after it the way back.
    const side = authority[previous(gate.stage)]
    let worst = 0
    for (const { id } of plan[side].shards) {
      const report = await streams.get(id)
      if (!report || clock.now() - report.at > freshMs) return unknown(`the stream of ${id} is silent`)
      worst = Math.max(worst, report.lagMs)
    }
    return compared(worst, gate.limit ?? plan.cutover.lagMsMax, 'ms', 'lag')
  }

  async #verified(): Promise<Look> {
    const [last] = await this.#store.reports.list(this.#ports.migration, 1)
    if (!last) return unknown('nothing was verified yet')
    const left = await this.#store.reports.openCount(this.#ports.migration)
    return compared(Math.max(left, last.mismatches - last.repaired), 0, 'rows', `of ${last.rows} rows differ`)
  }

  async #http(gate: ResolvedGate): Promise<Look> {
    if (gate.url === null) return unknown('the plan names no URL')
    const answer = await this.#httpGet(gate.url, httpTimeoutMs)
    if (answer.status < 200 || answer.status > 299)
      return { ...nothing, verdict: 'fail', detail: `answered ${answer.status}`, value: answer.status }
    if (gate.limit === null)
      return { ...nothing, verdict: 'pass', detail: `answered ${answer.status}`, value: answer.status }
    const value = answer.text.trim() === '' ? Number.NaN : Number(answer.text)
    return Number.isFinite(value) ? compared(value, gate.limit, null, 'answered') : unknown('the answer is no number')
  }
}

const nothing = { value: null, limit: null, unit: null } as const

function unknown(detail: string): Look {
  return { ...nothing, verdict: 'unknown', detail }
}

function compared(value: number, limit: number, unit: string | null, what: string): Look {
  const suffix = unit ? ` ${unit}` : ''
  const rounded = Math.round(value * 100) / 100
  return {
    verdict: value <= limit ? 'pass' : 'fail',
    detail: `${what} ${rounded}${suffix}, at most ${limit}${suffix}`,
    value,
    limit,
    unit,
  }
}

function previous(stage: Stage): Stage {
  return stages[Math.max(0, rung(stage) - 1)]!
}
