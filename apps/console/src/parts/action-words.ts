import type { Command, MigrationDetail, Session, Stage } from '../api/contract.ts'
import { stageMeaning, stageOrder } from '../words.ts'

export type Action = Command | 'verify' | 'repair'

interface Wording {
  readonly label: string
  /** Opens the confirmation; empty for none. */
  readonly key: string
  readonly kind: 'primary' | 'plain' | 'danger'
  readonly role: Session['role']
  /** What happens, for the confirmation. `to` is the stage that was chosen. */
  readonly meaning: (migration: MigrationDetail, to: Stage | null) => string
  /** What to say once it is asked. */
  readonly asked: (to: Stage | null) => string
}

export const actionWords: Record<Action, Wording> = {
  advance: {
    label: 'Advance',
    key: 'a',
    kind: 'primary',
    role: 'operator',
    meaning: ({ stage }, to) => {
      if (to === 'complete')
        return 'Finish: streams and slots are removed and the source is archived. After this, going back is a new plan the other way.'
      if (crosses(stage, to, 'live'))
        return 'Cut over: writes are held for a moment, everything is proven, and the target answers from then on. The source is kept current, so you can go back.'
      return `Go up to ${to}: ${meaningOf(to)}. Each gate on the way must hold first.`
    },
    asked: (to) => `Asked to advance to ${to}`,
  },
  retreat: {
    label: 'Retreat',
    key: 'r',
    kind: 'plain',
    role: 'operator',
    meaning: ({ stage }, to) =>
      crosses(to, stage, 'live')
        ? 'Go back: writes are held for a moment, and the source answers again with every write since the cutover in it.'
        : `Go down to ${to}: ${meaningOf(to)}. Nothing is lost.`,
    asked: (to) => `Asked to retreat to ${to}`,
  },
  pause: {
    label: 'Pause',
    key: 'p',
    kind: 'plain',
    role: 'operator',
    meaning: () => 'Copy, verification and moves stop; the streams go on, so that nothing piles up.',
    asked: () => 'Asked to pause',
  },
  resume: {
    label: 'Resume',
    key: 'p',
    kind: 'primary',
    role: 'operator',
    meaning: () => 'Go on where it stopped.',
    asked: () => 'Asked to go on',
  },
  verify: {
    label: 'Verify',
    key: 'v',
    kind: 'plain',
    role: 'operator',
    meaning: () => 'Compare every row of both sides now. The live system comes first: the throttle holds its budget.',
    asked: () => 'Verification asked for',
  },
  repair: {
    label: 'Repair',
    key: '',
    kind: 'plain',
    role: 'operator',
    meaning: ({ openMismatches }) =>
      `Make ${openMismatches === 1 ? 'the row that differs' : `the ${openMismatches} rows that differ`} on the side that does not answer equal to the other, then verify again.`,
    asked: () => 'Repair asked for',
  },
  abort: {
    label: 'Abort',
    key: '',
    kind: 'danger',
    role: 'admin',
    meaning: () =>
      'Take everything back: slots, publications, triggers, our schemas, and the tables we made on the target are removed. The source is left as it was.',
    asked: () => 'Asked to take everything back',
  },
}

/** Stages that the command may go to from here, nearest first. */
export function destinations(migration: MigrationDetail, action: Action): readonly Stage[] {
  if (action !== 'advance' && action !== 'retreat') return []
  const nearest = migration.commands[action].to
  if (nearest === null) return []
  const at = stageOrder.indexOf(nearest)
  // `complete` cannot be undone, so it is only ever one deliberate step.
  const last = nearest === 'complete' ? stageOrder.length : stageOrder.length - 1
  return action === 'advance' ? stageOrder.slice(at, last) : stageOrder.slice(0, at + 1).toReversed()
}

function meaningOf(stage: Stage | null): string {
  return stage === null ? '' : stageMeaning[stage].toLowerCase()
}

/** Whether going up from one stage to another enters the third. */
function crosses(from: Stage | null, to: Stage | null, entered: Stage): boolean {
  if (from === null || to === null) return false
  const at = stageOrder.indexOf(entered)
  return stageOrder.indexOf(from) < at && at <= stageOrder.indexOf(to)
}
