import type { Clock } from '@crossfade/model/clock.ts'
import { rung } from '@crossfade/model/stage.ts'
import type { DataPlane, TaskContext } from '@crossfade/pipeline/data-plane.ts'
import { type Move, nextMove } from '@crossfade/stages/machine.ts'
import type { CutoverHooks, StepPorts, TrackPorts } from '@crossfade/tracks/contract/ports.ts'
import type { Step, Track } from '@crossfade/tracks/contract/track.ts'
import { backoffMs } from './backoff.ts'
import { entry } from './entries.ts'
import { type GateKeeper, holding } from './gates.ts'
import { JournaledState } from './journaled-state.ts'
import { routingBoard } from './routing-board.ts'
import type { MigrationState } from './state.ts'
import type { ControlStore, Lease, MigrationRecord } from './store.ts'
import { ExpectedPoints, trackPorts } from './track-ports.ts'
import { coded, failureView, isLost, isStale, retries, taskFailureView } from './trouble.ts'

/** How often the state is looked at when nothing rings. */
const lookMs = 1_000

export interface ReconcilerParts {
  readonly store: ControlStore
  readonly clock: Clock
  readonly track: Track
  readonly hooks: CutoverHooks
  readonly gates: (ports: TrackPorts) => GateKeeper
  /** Runs beside the reconciler while it holds the lease: observations, throttle, alerts. */
  readonly beside: readonly ((ports: TrackPorts, state: JournaledState, signal: AbortSignal) => Promise<void>)[]
}

/**
 * Drives one migration for as long as this process holds its lease: reads the state afresh, journals what it is about to do, does it, journals how it ended. Every append is
 * refused once somebody else has the lease, and whoever that is goes on from the journal alone.
 * Resolves when the migration is over; rejects when it may not or can't go on here (another process, or this one later, takes it up again).
 */
export async function reconcile(
  parts: ReconcilerParts,
  record: MigrationRecord,
  plane: DataPlane,
  lease: Lease,
  context: TaskContext,
): Promise<void> {
  const stop = new AbortController()
  const onAbort = () => stop.abort(context.signal.reason)
  context.signal.addEventListener('abort', onAbort, { once: true })
  if (context.signal.aborted) onAbort()
  const state = new JournaledState(parts.store, record.id, lease)
  const expected = new ExpectedPoints(parts.store, record.id)
  const ports = trackPorts(parts.store, parts.clock, record, plane, state, expected, lease)
  const driver = new Driver(parts, ports, state, stop.signal)
  const guarded = async (work: Promise<void>) => {
    try {
      await work
    } finally {
      // One that ends ends all: over, or unable to go on.
      stop.abort(ended)
    }
  }
  try {
    await state.refresh()
    const outcomes = await Promise.allSettled([
      guarded(driver.moves()),
      guarded(driver.upkeep()),
      ...parts.beside.map((each) => guarded(each(ports, state, stop.signal))),
    ])
    context.signal.throwIfAborted()
    const failed = outcomes.find((outcome) => outcome.status === 'rejected' && outcome.reason !== ended)
    if (failed?.status === 'rejected') throw failed.reason
  } finally {
    expected.close()
    context.signal.removeEventListener('abort', onAbort)
  }
}

const ended = new Error('the reconciler ended')
const interrupted = new Error('the step is not wanted now')

class Driver {
  readonly #parts: ReconcilerParts
  readonly #ports: TrackPorts
  readonly #state: JournaledState
  readonly #signal: AbortSignal
  readonly #gates: GateKeeper

  constructor(parts: ReconcilerParts, ports: TrackPorts, state: JournaledState, signal: AbortSignal) {
    this.#parts = parts
    this.#ports = ports
    this.#state = state
    this.#signal = signal
    this.#gates = parts.gates(ports)
  }

  /** Resolves when the migration is over. */
  async moves(): Promise<void> {
    for (;;) {
      this.#signal.throwIfAborted()
      const state = await this.#state.refresh()
      const { place } = state
      if (place.aborted || (place.stage === 'complete' && !place.moving)) return
      const next = nextMove(place)
      const resting = place.paused || state.failure !== null
      try {
        if (resting && this.#isUnsettled(state)) await this.#settle(state)
        else if (next.kind === 'reverse') await this.#append(state, entry('move-reversed', next.move))
        else if (next.kind === 'rest' || resting) await this.#wait()
        else if (next.kind === 'end') await this.#end()
        else if (next.kind === 'continue') await this.#carryOn(next.move)
        else if (await this.#mayStart(state, next.move)) await this.#append(state, entry('move-started', next.move))
        else await this.#wait()
      } catch (error) {
        // Somebody has asked for something in between: look again. A lost lease ends this process's work here.
        if (!isStale(error) || isLost(error)) throw error
      }
    }
  }

  /** Keeps going what must go on at the stage, watches the gates behind us, and says when a task needs a person. Never resolves by itself. */
  async upkeep(): Promise<void> {
    for (;;) {
      this.#signal.throwIfAborted()
      const state = await this.#state.refresh()
      const { place } = state
      if (!place.paused && state.failure === null && !place.aborted) {
        // On the way down what stands is being taken away.
        const goingDown = place.moving !== null && rung(place.moving.to) < rung(place.moving.from)
        try {
          await this.#reportFailedTasks()
          if (!goingDown && place.moving?.to !== 'complete') await this.#parts.track.upkeep[place.stage](this.#ports)
          await this.#gates.watch(this.#state)
        } catch (error) {
          if (this.#signal.aborted || isLost(error)) throw error
          // A look that failed is taken again at the next turn; what matters fails in a step or a task and is reported there.
        }
      }
      await this.#wait()
    }
  }

  async #carryOn(move: Move): Promise<void> {
    const up = rung(move.to) > rung(move.from)
    const steps = this.#parts.track.transitions[move.from][up ? 'up' : 'down']
    const state = this.#state.seen
    const step = steps.find((candidate) => !state.steps[candidate.name]?.finishedAt)
    if (step) return this.#runStep(step)
    await this.#state.append([entry('stage-entered', { stage: move.to, from: move.from })], {
      ends: move.to === 'complete',
    })
  }

  async #runStep(step: Step): Promise<void> {
    let state = this.#state.seen
    if (!state.steps[step.name]) state = await this.#state.append([entry('step-started', { step: step.name })])
    const stop = new AbortController()
    const onAbort = () => stop.abort(this.#signal.reason)
    this.#signal.addEventListener('abort', onAbort, { once: true })
    const watching = this.#watch(stop)
    try {
      stop.signal.throwIfAborted()
      const since = Date.parse(state.steps[step.name]!.startedAt)
      const result = await step.run(this.#stepPorts(step.name, since, state, stop.signal))
      await this.#state.append([entry('step-finished', { step: step.name, result: result ?? {} })])
    } catch (error) {
      // Why this process must let go counts, not what became of the step by it.
      this.#signal.throwIfAborted()
      if (stop.signal.aborted && stop.signal.reason === interrupted) return
      if (isStale(error)) throw error
      await this.#failed(step, error)
    } finally {
      stop.abort(ended)
      this.#signal.removeEventListener('abort', onAbort)
      await watching
    }
  }

  async #failed(step: Step, error: unknown): Promise<void> {
    const failure = coded(error, step.title)
    const attempts = (this.#state.seen.steps[step.name]?.attempts ?? 0) + 1
    const now = this.#parts.clock.now()
    const rest = retries(failure, attempts) ? backoffMs(attempts) : null
    const view = failureView(failure, step.title, now, rest === null ? null : now + rest)
    const failed = entry('step-failed', { step: step.name, failure: view })
    await this.#state.append(rest === null ? [failed, entry('stopped', { failure: view })] : [failed])
    if (rest === null) return
    const { version } = this.#state.seen
    // A command ends the rest early.
    for (
      let left = rest;
      left > 0 && (await this.#state.refresh()).version === version;
      left = now + rest - this.#parts.clock.now()
    ) {
      await this.#ports.changed(left, this.#signal)
    }
  }

  /** Interrupts the running step when a pause or a change of mind comes in. */
  async #watch(stop: AbortController): Promise<void> {
    while (!stop.signal.aborted) {
      try {
        const { place } = await this.#state.refresh()
        if (place.paused || nextMove(place).kind === 'reverse') stop.abort(interrupted)
        else await this.#ports.changed(lookMs, stop.signal)
      } catch {
        // Aborted: the loop ends. Anything else: the step itself will meet it.
        if (!stop.signal.aborted) await this.#parts.clock.sleep(lookMs, stop.signal).catch(() => undefined)
      }
    }
  }

  async #mayStart(state: MigrationState, move: Move): Promise<boolean> {
    if (rung(move.to) < rung(move.from)) return true
    const gates = this.#ports.plan.gates.filter((gate) => gate.stage === move.to)
    const evidence = await this.#gates.evaluate(gates, this.#state)
    return !holding(evidence, this.#parts.clock.now()) && state.version === this.#state.seen.version
  }

  async #end(): Promise<void> {
    await this.#state.append([entry('aborted', {})], { ends: true })
  }

  async #append(state: MigrationState, what: ReturnType<typeof entry>): Promise<void> {
    await this.#state.append([what], { expectedVersion: state.version })
  }

  async #reportFailedTasks(): Promise<void> {
    const [failed] = await this.#ports.tasks.list({ states: ['failed'] })
    if (!failed?.failure || this.#state.seen.failure) return
    // On the way to off what failed is being taken away.
    if (this.#state.seen.place.desired === 'off') return
    // While a step waits for this very task, the step says it.
    if (failed.kind !== 'stream' && this.#state.seen.place.moving) return
    await this.#state.append([entry('stopped', { failure: taskFailureView(failed.failure, failed.name, null) })])
  }

  /** A cutover was left in the middle: clients wait behind a fence, or hooks for a word. */
  #isUnsettled(state: MigrationState): boolean {
    if (state.routing.fenced.length > 0) return true
    const hooked = this.#ports.plan.cutover.hooks.length > 0
    return hooked && state.lastNote !== null && state.lastNote.event !== 'told'
  }

  /** While the migration rests no step will come and bring it to its end. */
  async #settle(state: MigrationState): Promise<void> {
    try {
      await this.#parts.track.settle(this.#stepPorts('settle', this.#parts.clock.now(), state, this.#signal))
    } catch (error) {
      if (this.#signal.aborted || isLost(error)) throw error
      await this.#parts.clock.sleep(lookMs, this.#signal)
    }
  }

  #stepPorts(name: string, since: number, state: MigrationState, signal: AbortSignal): StepPorts {
    const { store } = this.#parts
    const migration = this.#ports.migration
    let told: string | null = null
    return {
      ...this.#ports,
      signal,
      routing: routingBoard(this.#state),
      hooks: this.#parts.hooks,
      since,
      entered: Date.parse(state.enteredAt[state.place.stage]!),
      journal: {
        findings: async (findings) => {
          if (findings.length > 0) await this.#state.append([entry('findings', { findings })])
        },
      },
      detail(text) {
        if (text === told) return
        told = text
        void store.board.put(migration, 'step', name, { text }).catch(() => undefined)
      },
    }
  }

  async #wait(): Promise<void> {
    await this.#ports.changed(lookMs, this.#signal)
  }
}
