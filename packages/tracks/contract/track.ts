import type { Stage } from '@crossfade/model/stage.ts'
import type { StepPorts, TrackPorts } from './ports.ts'
import type { TaskHandler, TaskKind } from './tasks.ts'

/**
 * One thing that moves along the ladder. The engine drives it: it decides when a rung may be left, runs the steps in order, journals each before and after, and runs a step
 * again from its beginning after a crash or a failure that a retry may heal.
 */
export interface Track {
  readonly name: string
  /** For every rung, the steps that lead one rung up and one rung down. The way down also copes with a way up that was done in part. */
  readonly transitions: Readonly<Record<Stage, Ways>>
  /** Called about once a second while the migration is at a rung or on its way from it; keeps what must run there. Idempotent and quick. */
  readonly upkeep: Readonly<Record<Stage, (ports: TrackPorts) => Promise<void>>>
  readonly handlers: Readonly<Record<TaskKind, TaskHandler>>
  /**
   * Brings what a process left in the middle to a safe end: taken back, or gone forward with. Called whenever no step runs and the last change of the routing was not its last word,
   * also while the migration is paused or stopped, for clients wait behind a fence. Idempotent.
   */
  settle(ports: StepPorts): Promise<void>
}

export interface Ways {
  readonly up: readonly Step[]
  readonly down: readonly Step[]
}

export interface Step {
  /** Unique in its list; part of the journal, so it never changes. */
  readonly name: string
  /** A short phrase for people: `copy the snapshot`. */
  readonly title: string
  /**
   * Does the step, or goes on with it: idempotent. Rejects with a coded failure; one that is not retryable stops the migration until a person resumes it.
   * What it resolves with is kept in the journal. When the signal aborts it must come to a safe point and reject with the signal's reason.
   */
  run(ports: StepPorts): Promise<StepResult>
}

/** JSON kept in the journal with the finished step. */
// biome-ignore lint/suspicious/noConfusingVoidType: most steps have nothing to say.
export type StepResult = Readonly<Record<string, unknown>> | void
