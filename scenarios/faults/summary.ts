import type { RunResult } from './one-run.ts'

/** The last line of `npm run faults`. */
export interface FaultsSummary {
  readonly runs: number
  readonly lost: number
  readonly duplicated: number
  readonly diverged: number
  readonly stuck: number
  readonly leftovers: number
  /** Worker processes that ended by themselves. */
  readonly crashed: number
  readonly failedSeeds: readonly number[]
  readonly acknowledged: number
  /** Writes whose connection broke before the answer; they are judged by nobody. */
  readonly unknown: number
  readonly clientErrors: number
  readonly struck: Readonly<Record<string, number>>
  /** From `kill -9` of a worker to the next claim of each lease that it held. */
  readonly takeoverMs: { readonly count: number; readonly p50: number | null; readonly max: number | null }
}

/** A lease of 4 s, a look each 0.5 s, and the rest of 6 s for whatever a busy machine adds. */
export const takeoverMsMax = 6_000

/** Adds up the runs. */
export function summarise(results: readonly RunResult[]): FaultsSummary {
  const total = (of: (result: RunResult) => number) => results.reduce((sum, result) => sum + of(result), 0)
  const struck: Record<string, number> = {}
  for (const { kind } of results.flatMap((result) => result.struck)) struck[kind] = (struck[kind] ?? 0) + 1
  const takeovers = results
    .flatMap((result) => result.struck.flatMap((each) => each.takeoversMs))
    .toSorted((a, b) => a - b)
  return {
    runs: results.length,
    lost: total((result) => result.lost),
    duplicated: total((result) => result.duplicated),
    diverged: total((result) => result.diverged.length),
    stuck: total((result) => result.stuck.length),
    leftovers: total((result) => result.leftovers.length),
    crashed: total((result) => result.crashes.length),
    failedSeeds: results.filter((result) => !succeeded(result)).map((result) => result.seed),
    acknowledged: total((result) => result.acknowledged),
    unknown: total((result) => result.unknown),
    clientErrors: total((result) => result.clientErrors),
    struck,
    takeoverMs: {
      count: takeovers.length,
      p50: takeovers[Math.floor(takeovers.length / 2)] ?? null,
      max: takeovers.at(-1) ?? null,
    },
  }
}

/** Whether every run ended well, and every takeover came in time. */
export function holds(summary: FaultsSummary): boolean {
  return summary.failedSeeds.length === 0 && (summary.takeoverMs.max ?? 0) <= takeoverMsMax
}

function succeeded({ lost, duplicated, diverged, stuck, leftovers, crashes }: RunResult): boolean {
  return lost + duplicated + diverged.length + stuck.length + leftovers.length + crashes.length === 0
}
