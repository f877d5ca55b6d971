import type { ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'

/** A lock that the migration takes on tables that are in use. */
export interface PlannedLock {
  readonly when: string
  readonly where: 'source' | 'target'
  readonly tables: string
  readonly mode: string
  /** What it makes wait while it is held. */
  readonly blocks: string
  readonly duration: string
}

/** Every lock on a live table, in the order in which they are taken. Tables that Crossfade itself makes are not in use and not listed. */
export function plannedLocks(plan: ResolvedPlan): readonly PlannedLock[] {
  const keyless = plan.tables.filter((table) => table.identity.kind === 'full').length
  const all = `all ${plan.tables.length}`
  const fence = (where: PlannedLock['where'], when: string): PlannedLock => ({
    when,
    where,
    tables: all,
    mode: 'SHARE ROW EXCLUSIVE',
    blocks: 'writes',
    duration: `a few ms; given up after ${plan.cutover.fenceLockMsMax} ms, and everything is put back after ${plan.cutover.deadlineMs} ms`,
  })
  return [
    {
      when: 'dualwrite: publication',
      where: 'source',
      tables: all,
      mode: 'SHARE UPDATE EXCLUSIVE',
      blocks: 'DDL, VACUUM',
      duration: 'a few ms',
    },
    ...(keyless > 0
      ? ([
          {
            when: 'dualwrite: replica identity full',
            where: 'source',
            tables: `${keyless} without key`,
            mode: 'ACCESS EXCLUSIVE',
            blocks: 'everything',
            duration: 'a few ms, waits at most 1 s at a time',
          },
        ] as const)
      : []),
    {
      when: 'dualwrite: copy',
      where: 'source',
      tables: all,
      mode: 'ACCESS SHARE',
      blocks: 'DDL',
      duration: 'a chunk at a time',
    },
    {
      when: 'live: fence installed',
      where: 'source',
      tables: all,
      mode: 'SHARE ROW EXCLUSIVE',
      blocks: 'writes',
      duration: `a few ms, waits at most ${plan.cutover.fenceLockMsMax} ms at a time`,
    },
    fence('source', 'live: cutover'),
    fence('target', 'retreat from live'),
  ]
}
