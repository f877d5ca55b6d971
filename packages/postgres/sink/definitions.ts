import { fail } from '@crossfade/model/failure.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import type { StreamEvent } from '../changes/transaction.ts'
import type { FollowOptions } from './follow.ts'
import type { TargetSession } from './target-session.ts'

/** Carries an altered table over to the applied side, or stops the stream: CF3203. */
export async function carryDefinitions(
  event: Extract<StreamEvent, { kind: 'relationChanged' }>,
  options: Pick<FollowOptions, 'plan' | 'direction' | 'from'>,
  _sessions: readonly TargetSession[],
): Promise<void> {
  throw fail('CF3203', { table: tableKey(event), shard: options.from, change: changeText(event.before, event.after) })
}

/** `added note text, dropped total integer` */
export function changeText(before: readonly string[], after: readonly string[]): string {
  const added = after.filter((column) => !before.includes(column)).map((column) => `added ${column}`)
  const dropped = before.filter((column) => !after.includes(column)).map((column) => `dropped ${column}`)
  return [...added, ...dropped].join(', ') || 'its columns were put in another order'
}
