import type { MigrationDetail } from '@crossfade/engine/contract.ts'
import type { Proof } from '@crossfade/simulator/prove.ts'
import type { Percentiles, TrafficReport } from '@crossfade/simulator/traffic-settings.ts'

/** What the tour proves, in figures; the last line of `npm start -- --headless --json`. */
export interface TourSummary {
  /** Writes that the databases acknowledged to the client program, from its ledger. */
  readonly acknowledgedWrites: number
  readonly lost: number
  readonly duplicated: number
  readonly clientErrors: number
  /** Times the authority went to the target, and back to the source. */
  readonly cutovers: number
  readonly retreats: number
  /** How long the client program's held writes waited, all cutovers together. */
  readonly writePauseMs: Percentiles
  readonly heldWrites: number
  readonly rowsCopied: number
  readonly rowsVerified: number
  readonly mismatches: number
  readonly leftovers: number
  readonly wallSeconds: number
  readonly ledgerRowsChecked: number
  /** Of each flip: how long the engine kept writes fenced, and where the time went. */
  readonly fences: readonly {
    readonly to: string
    readonly pauseMs: number | null
    readonly parts: Readonly<Record<string, number>>
  }[]
}

/** Puts the figures together. `startedAt`: milliseconds since 1970. */
export function summarise(parts: {
  migration: MigrationDetail
  traffic: TrafficReport
  acknowledged: number
  proof: Proof
  rowsVerified: number
  leftovers: readonly string[]
  startedAt: number
}): TourSummary {
  const { migration, traffic, proof } = parts
  const flips = (to: 'source' | 'target') =>
    migration.cutovers.filter((cutover) => cutover.outcome === 'flipped' && cutover.to === to).length
  return {
    acknowledgedWrites: parts.acknowledged,
    lost: proof.lost,
    duplicated: proof.duplicated,
    clientErrors: traffic.errors,
    cutovers: flips('target'),
    retreats: flips('source'),
    writePauseMs: { p50: round(traffic.holdMs.p50), p99: round(traffic.holdMs.p99), max: round(traffic.holdMs.max) },
    heldWrites: traffic.holds,
    rowsCopied: migration.copy.rowsDone,
    rowsVerified: parts.rowsVerified,
    mismatches: migration.openMismatches,
    leftovers: parts.leftovers.length,
    wallSeconds: round((performance.now() - parts.startedAt) / 1000),
    ledgerRowsChecked: proof.checked,
    fences: migration.cutovers
      .filter((cutover) => cutover.outcome === 'flipped')
      .map(({ to, pauseMs, parts: took }) => ({ to, pauseMs, parts: took })),
  }
}

/** Whether everything that the tour promises held. */
export function holds(summary: TourSummary): boolean {
  const { lost, duplicated, clientErrors, mismatches, leftovers, cutovers, retreats, acknowledgedWrites } = summary
  return (
    lost + duplicated + clientErrors + mismatches + leftovers === 0 &&
    cutovers === 2 &&
    retreats === 1 &&
    acknowledgedWrites > 0
  )
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
