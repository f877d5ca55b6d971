import type { MigrationDetail } from '@crossfade/engine/contract.ts'
import { systemClock } from '@crossfade/model/clock.ts'
import type { MigrationId } from '@crossfade/model/ids.ts'
import { interruption } from '../terminal/interrupt.ts'
import { migrationText } from '../terminal/migration-text.ts'
import { printNote } from '../terminal/output.ts'
import { progressDisplay } from '../terminal/progress.ts'
import type { OpenCrossfade } from '../wiring/open.ts'

/** How often the migration is looked at while a terminal follows it. */
const lookMs = 500

/** `undefined`: not there yet. */
export type Goal = (detail: MigrationDetail) => 'reached' | 'failed' | undefined

/**
 * Works on a migration in this process, and shows how it goes, until the goal is reached or the user interrupts. Gives the last look and how it ended.
 * Interrupting leaves the migration as it is; any other worker goes on.
 */
export async function follow(
  crossfade: OpenCrossfade,
  id: MigrationId,
  goal: Goal,
  options: { readonly quiet: boolean },
): Promise<{ readonly detail: MigrationDetail; readonly end: 'reached' | 'failed' | 'interrupted' }> {
  const display = options.quiet ? null : progressDisplay()
  await crossfade.work()
  try {
    for (;;) {
      const detail = await crossfade.service.get(id)
      display?.show(migrationText(detail, display.width), summaryLine(detail))
      const end = goal(detail)
      if (end) return { detail, end }
      if (interruption.aborted) return { detail, end: 'interrupted' }
      await systemClock.sleep(lookMs, interruption).catch(() => undefined)
    }
  } finally {
    display?.close()
  }
}

/** Ends when the migration rests at `stage`, or needs a person. */
export function restingAt(stage: MigrationDetail['stage']): Goal {
  return (detail) => {
    if (detail.status === 'stopped' || detail.status === 'aborted') return 'failed'
    if (detail.stage === stage && (detail.status === 'resting' || detail.status === 'complete')) return 'reached'
    return undefined
  }
}

/** Said when Ctrl-C ends the looking: the migration goes its way, and `resume` is the command that comes back to it. */
export function sayDetached(name: string, resume: string): void {
  printNote(
    `\nDetached. ${name} stays where it is; nothing is lost.\n  go on:      ${resume}\n  look at it: crossfade status --watch`,
  )
}

/** One line for logs and pipes. */
function summaryLine(detail: MigrationDetail): string {
  const { stage, desiredStage, status, copy, streams, failure, transition } = detail
  const step = transition?.steps.find(({ state }) => state === 'running')
  const lag = streams.reduce<number | null>(
    (worst, stream) => (stream.lagMs === null ? worst : Math.max(worst ?? 0, stream.lagMs)),
    null,
  )
  return [
    `${detail.name} ${stage}${stage === desiredStage ? '' : ` → ${desiredStage}`} ${status}`,
    ...(step ? [step.detail ? `${step.title}: ${step.detail}` : step.title] : []),
    ...(copy.bytesTotal > 0 && copy.bytesDone < copy.bytesTotal
      ? [`copied ${Math.floor((100 * copy.bytesDone) / copy.bytesTotal)} %`]
      : []),
    ...(lag === null ? [] : [`lag ${Math.round(lag)} ms`]),
    ...(failure ? [`${failure.code} ${failure.message}`] : []),
  ].join(' · ')
}
