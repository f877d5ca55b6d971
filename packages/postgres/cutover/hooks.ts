import type { Epoch, MigrationId, ShardId } from '@crossfade/model/ids.ts'
import type { Side } from '@crossfade/model/stage.ts'
import type { CutoverHook, ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import type { SecretSources } from '../connection/secret.ts'
import { runCommand } from './command.ts'
import { pauseDatabases, resumeDatabases, switchDatabases } from './pgbouncer.ts'
import { callWebhook } from './webhook.ts'

/** `before` the fence; `after` the flip, when the new side is open; `undone` when the cutover was given up and nothing has changed. */
export type HookMoment = 'before' | 'after' | 'undone'

export type PgbouncerHook = Extract<CutoverHook, { kind: 'pgbouncer' }>
export type WebhookHook = Extract<CutoverHook, { kind: 'webhook' }>
export type CommandHook = Extract<CutoverHook, { kind: 'command' }>

export interface HookContext {
  readonly plan: ResolvedPlan
  readonly migration: MigrationId
  readonly from: Side
  readonly to: Side
  readonly units: readonly ShardId[]
  readonly epoch: Epoch
  readonly secrets?: SecretSources
}

/**
 * Tells the plan's hooks about a moment of the cutover, one after the other, `undone` in reverse. Every hook may be told the same more than once.
 * `before` and `after` stop at the first that fails and reject with its failure (CF5110–CF5113); the caller undoes or tries again.
 * `undone` tells all, then rejects with the first failure.
 */
export async function runHooks(moment: HookMoment, context: HookContext): Promise<void> {
  const { hooks } = context.plan.cutover
  if (moment !== 'undone') {
    for (const hook of hooks) await runHook(hook, moment, context)
    return
  }
  const failures: unknown[] = []
  for (const hook of hooks.toReversed())
    await runHook(hook, moment, context).catch((error: unknown) => failures.push(error))
  if (failures.length > 0) throw failures[0]
}

function runHook(hook: CutoverHook, moment: HookMoment, context: HookContext): Promise<void> {
  switch (hook.kind) {
    case 'pgbouncer':
      return pgbouncerMoves[moment](hook, context)
    case 'webhook':
      return callWebhook(hook, moment, context)
    case 'command':
      return runCommand(hook, moment, context)
  }
}

const pgbouncerMoves: Record<HookMoment, (hook: PgbouncerHook, context: HookContext) => Promise<void>> = {
  before: pauseDatabases,
  after: switchDatabases,
  undone: resumeDatabases,
}
