/** The rungs of the ladder, in order. */
export const stages = ['off', 'dualwrite', 'shadow', 'live', 'rampdown', 'complete'] as const

export type Stage = (typeof stages)[number]

/** Where a stage stands on the ladder, 0 for `off`. */
export function rung(stage: Stage): number {
  return stages.indexOf(stage)
}

/** Whether the text is the name of a rung. */
export function isStage(text: string): text is Stage {
  return (stages as readonly string[]).includes(text)
}

/** The two ends of a migration; after the cutover the names stay and the authority moves. */
export type Side = 'source' | 'target'

/** The target for the source, and the other way round. */
export function otherSide(side: Side): Side {
  return side === 'source' ? 'target' : 'source'
}

/** Which side answers for the data at a stage. */
export const authority: Record<Stage, Side> = {
  off: 'source',
  dualwrite: 'source',
  shadow: 'source',
  live: 'target',
  rampdown: 'target',
  complete: 'target',
}
