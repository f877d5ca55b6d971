import { Failure, fail, reasonOf } from '@crossfade/model/failure.ts'
import { asEpoch, type ShardId } from '@crossfade/model/ids.ts'
import { endOfLog } from '@crossfade/model/lsn.ts'
import { authority, otherSide, type Side } from '@crossfade/model/stage.ts'
import type { FencePoint } from '@crossfade/pipeline/data-plane.ts'
import type { Routing } from '@crossfade/routing/routing.ts'
import type { CutoverNote, StepPorts } from '../contract/ports.ts'
import type { Step } from '../contract/track.ts'
import { withDeadline } from './deadline.ts'
import { streamState } from './lag.ts'

/** Between two looks at what keeps a cutover from starting, and between two attempts. */
const retryRestMs = 500
/** How long a started cutover may wait for lag and long transactions before it says so as a failure (which is tried again). */
const preflightMsMax = 60_000
/** Before the order the streams work for so long as if they were waited for, so that their sessions are open and their statements prepared when they are. */
const rehearsalMs = 300
/** The streams tell when they have passed the fence; this only bounds how long a lost message is not noticed. */
const drainLookMs = 20

/**
 * Gives the authority over every unit to `to`, group by group. The routing in the journal is its whole memory, so that any process may go on where another stopped:
 *
 *   routing { fenced: [], authority: from }       nothing is on
 *   routing { fenced: U,  authority[U]: from }    an attempt is on, or died: it can only be taken back (unfence `from`)
 *   routing { fenced: U,  authority[U]: to }      flipped: it can only go forward (open `to`)
 *
 * Each change of the routing is appended to the journal under the caller's lease *before* the databases are touched, and its epoch goes with every fence and unfence. So what
 * a stale process still has in flight carries a lower epoch than what its successor has said already, and the databases refuse it.
 */
export function cutoverStep(to: Side): Step {
  return {
    name: `cut-over-to-${to}`,
    title: to === 'target' ? 'give the authority to the target' : 'give the authority back to the source',
    run: (ports) => cutOver(ports, to),
  }
}

/**
 * Gives `to` the authority, group after group. Idempotent: what was left in the middle is settled first, and units that have flipped are passed over.
 * Rejects with CF5001 once a group's attempts are used up; then its old side is open again and nothing has changed.
 */
export async function cutOver(ports: StepPorts, to: Side): Promise<void> {
  await settle(ports)
  for (const group of groupsOf(ports, to)) {
    for (let attempt = 1; ; attempt += 1) {
      const routing = await ports.routing.current()
      const units = group.filter((unit) => routing.authority[unit] !== to)
      if (units.length === 0) break
      await preflight(ports, to, units)
      await rehearse(ports, to)
      const outcome = await attemptCutover(ports, { to, units, attempt, routing })
      if (outcome.flipped) break
      if (attempt >= ports.plan.cutover.attemptsMax) {
        throw fail('CF5001', { units: units.join(', '), attempts: attempt, reason: outcome.reason })
      }
      await ports.clock.sleep(retryRestMs * attempt, ports.signal)
    }
  }
}

/** Ends what an earlier process left in the middle: back before the flip, forward after it. Idempotent. */
export async function settle(ports: StepPorts): Promise<void> {
  const routing = await ports.routing.current()
  const last = await ports.routing.last()
  if (!last || last.event === 'told') return
  const note = { units: last.units, to: last.to, attempt: 0, parts: {}, reason: 'the process that drove it ended' }
  if (routing.fenced.length === 0) {
    await tell(ports, routing, note, routing.authority[last.units[0]!] === last.to ? 'after' : 'undone')
  } else if (last.event === 'flipped' || last.event === 'opening') {
    // A new epoch of our own first: from here on the databases refuse whatever our predecessor still has in flight.
    await open(ports, await ports.routing.change(routing, { ...note, event: 'opening' }), note)
  } else {
    await takeBack(ports, { to: last.to, units: last.units, attempt: 0, routing }, note.reason, {})
  }
}

interface Attempt {
  readonly to: Side
  readonly units: readonly ShardId[]
  readonly attempt: number
  /** As it is before the attempt. */
  readonly routing: Routing
}

type Outcome = { readonly flipped: true } | { readonly flipped: false; readonly reason: string }

async function attemptCutover(ports: StepPorts, attempt: Attempt): Promise<Outcome> {
  const { to, units, routing } = attempt
  const from = otherSide(to)
  const { clock, plan, plane } = ports
  const watch = new Stopwatch(() => clock.now())
  const deadline = clock.now() + plan.cutover.deadlineMs
  let fenced = routing
  let flipping = false
  try {
    // The order is journaled before the fence, so that whoever takes over knows there may be one.
    fenced = await ports.routing.change(
      { authority: routing.authority, fenced: units },
      { event: 'fencing', units, to, attempt: attempt.attempt, reason: null, parts: {} },
    )
    watch.part('order')
    if (plan.cutover.hooks.length > 0) {
      const about = { migration: ports.migration, units, to, epoch: fenced.epoch }
      await withDeadline(ports, deadline, 'the hooks', () => ports.hooks.run(plan.cutover.hooks, 'before', about))
      watch.part('hooks')
    }
    const points = await withDeadline(ports, deadline, 'the fence', () =>
      plane.cutover.fence(from, units, asEpoch(fenced.epoch), to),
    )
    watch.part('fence')
    // Behind the fence no value is handed out any more, so this need not wait for the rows.
    const sequences = withDeadline(ports, deadline, 'the sequences', () => plane.cutover.carrySequences(from, to))
    await Promise.all([sequences, ports.streams.expect(points).then(() => drain(ports, points, deadline))])
    watch.part('drain')
    const closed = await ports.routing.closed()
    const mustOpen = closed[to].some((unit) => units.includes(unit))
    if (clock.now() >= deadline) throw late('the flip')

    flipping = true
    const flipped = await ports.routing.change(
      { authority: withAuthority(routing, units, to), fenced: mustOpen ? units : [] },
      { event: 'flipped', units, to, attempt: attempt.attempt, reason: null, parts: watch.parts },
    )
    watch.part('flip')
    await open(ports, flipped, { units, to, attempt: attempt.attempt, reason: null, parts: watch.parts })
    return { flipped: true }
  } catch (error) {
    // Whether the flip is in the journal is not known here: `settle` reads it afresh when the step runs again.
    if (flipping) throw error
    if (ports.signal.aborted && isStale(error)) throw error
    const reason = reasonOf(error)
    // Where even the order failed, it may or may not be in the journal; `settle` will see.
    if (fenced === routing) throw error
    await takeBack(ports, { ...attempt, routing: fenced }, reason, watch.parts)
    if (error instanceof Failure && !error.retry) throw error
    return { flipped: false, reason }
  } finally {
    await ports.streams.expect([]).catch(() => undefined)
  }
}

/** Waits until every change up to the fence is applied on the other side, and every key touched by them is proven equal there. */
async function drain(ports: StepPorts, points: readonly FencePoint[], deadline: number): Promise<void> {
  for (;;) {
    const reports = await Promise.all(points.map((point) => ports.streams.get(point.shard)))
    const behind = points
      .filter((point, index) => (reports[index]?.proven ?? -1n) < point.lsn)
      .map((point) => point.shard)
    if (behind.length === 0) return
    const left = deadline - ports.clock.now()
    if (left <= 0) throw late(`the stream of ${behind.join(', ')}`)
    await ports.streams.moved(Math.min(left, drainLookMs), neverAborted)
  }
}

/** After the flip: opens the side that has the authority now, where it was closed, and tells the hooks. Only ever forward. */
async function open(ports: StepPorts, routing: Routing, note: Note): Promise<void> {
  let opened = routing
  if (routing.fenced.length > 0) {
    const started = ports.clock.now()
    await ports.plane.cutover.unfence(note.to, routing.fenced, asEpoch(routing.epoch))
    const parts = { ...note.parts, open: ports.clock.now() - started }
    opened = await ports.routing.change(
      { authority: routing.authority, fenced: [] },
      { ...note, event: 'opened', parts },
    )
  }
  await tell(ports, opened, note, 'after')
}

/** Tells the hooks how it ended, and journals that they know. Hooks are told again when the process dies in between. */
async function tell(ports: StepPorts, routing: Routing, note: Note, moment: 'after' | 'undone'): Promise<void> {
  const { hooks } = ports.plan.cutover
  if (hooks.length === 0) return
  const { units, to } = note
  await ports.hooks.run(hooks, moment, { migration: ports.migration, units, to, epoch: routing.epoch })
  await ports.routing.change(routing, { ...note, event: 'told' })
}

type Note = Omit<CutoverNote, 'event'>

/** Before the flip: opens the side that has kept the authority; after it nothing has changed. */
async function takeBack(
  ports: StepPorts,
  attempt: Attempt,
  reason: string,
  parts: Readonly<Record<string, number>>,
): Promise<void> {
  const { to, units, routing } = attempt
  const from = otherSide(to)
  const note = { units, to, attempt: attempt.attempt, reason, parts }
  let undoing: Routing
  try {
    undoing = await ports.routing.change({ authority: routing.authority, fenced: units }, { ...note, event: 'undoing' })
  } catch (error) {
    // The journal is out of reach. The flip was never asked for, so the writers need not wait for it: the attempt's own epoch opens the fence, unless a successor has spoken.
    if (attempt.attempt > 0)
      await ports.plane.cutover.unfence(from, units, asEpoch(routing.epoch)).catch(() => undefined)
    throw error
  }
  await ports.plane.cutover.unfence(from, units, asEpoch(undoing.epoch))
  const undone = await ports.routing.change({ authority: routing.authority, fenced: [] }, { ...note, event: 'undone' })
  await tell(ports, undone, note, 'undone')
}

/** Waits until the cutover would succeed: no pause for the writers when it would not (D12, D13). Rejects with CF5003 when that takes too long. */
async function preflight(ports: StepPorts, to: Side, units: readonly ShardId[]): Promise<void> {
  const from = otherSide(to)
  const started = ports.clock.now()
  for (;;) {
    ports.signal.throwIfAborted()
    const obstacle = await findObstacle(ports, from, to, units)
    if (obstacle === null) return
    ports.detail(`waits: ${obstacle}`)
    if (ports.clock.now() - started > preflightMsMax) throw fail('CF5003', { reason: obstacle })
    await ports.changed(retryRestMs, ports.signal)
  }
}

async function rehearse(ports: StepPorts, to: Side): Promise<void> {
  await ports.streams.expect(ports.plan[otherSide(to)].shards.map(({ id }) => ({ shard: id, lsn: endOfLog })))
  await ports.clock.sleep(rehearsalMs, ports.signal)
  await ports.streams.expect([])
}

async function findObstacle(ports: StepPorts, from: Side, to: Side, units: readonly ShardId[]): Promise<string | null> {
  // What lags longer than half the deadline would not be drained within it.
  const lagMsMax = Math.min(ports.plan.cutover.lagMsMax, ports.plan.cutover.deadlineMs / 2)
  for (const shard of ports.plan[from].shards) {
    const state = await streamState(ports, shard.id, lagMsMax)
    if (!state.ready) return state.reason
  }
  // D11: the way back must be running before the side that gets the authority takes its first write.
  for (const shard of ports.plan[to].shards) {
    const state = await streamState(ports, shard.id, Number.POSITIVE_INFINITY)
    if (!state.ready) return state.reason
  }
  const long = await ports.plane.cutover.longTransactions(from, units)
  return long.length > 0 ? `long transaction: ${long[0]}${long.length > 1 ? ` and ${long.length - 1} more` : ''}` : null
}

/** Groups in the plan's order; on the way back in the opposite one. Units that the plan's groups leave out move last, together. */
function groupsOf(ports: StepPorts, to: Side): readonly (readonly ShardId[])[] {
  const all = ports.plan.source.shards.map((shard) => shard.id)
  const named = new Set(ports.plan.cutover.groups.flat())
  const rest = all.filter((unit) => !named.has(unit))
  const groups = [...ports.plan.cutover.groups, rest].filter((group) => group.length > 0)
  return to === authority.live ? groups : groups.toReversed()
}

function withAuthority(routing: Routing, units: readonly ShardId[], side: Side): Routing['authority'] {
  return { ...routing.authority, ...Object.fromEntries(units.map((unit) => [unit, side])) }
}

function late(what: string): Failure {
  return fail('CF5002', { units: what, reason: `${what} was not done by the deadline` })
}

/** Somebody else holds the lease now; they settle what is open. */
function isStale(error: unknown): boolean {
  return error instanceof Failure && (error.code === 'CF6006' || error.code === 'CF6005')
}

/** The critical section is short and bounded by its deadline; a pause or a retreat waits for its end rather than leave a fence closed. */
const neverAborted = new AbortController().signal

class Stopwatch {
  readonly #now: () => number
  readonly #parts: Record<string, number> = {}
  #last: number

  constructor(now: () => number) {
    this.#now = now
    this.#last = now()
  }

  part(name: string): void {
    const now = this.#now()
    this.#parts[name] = now - this.#last
    this.#last = now
  }

  get parts(): Readonly<Record<string, number>> {
    return { ...this.#parts }
  }
}
