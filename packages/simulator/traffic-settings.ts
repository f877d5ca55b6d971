import type { Routing } from '@crossfade/routing/routing.ts'

/** What a traffic process is started with, as JSON in its first argument. */
export interface TrafficSettings {
  readonly routing: TrafficRouting
  /** Connection URL of every shard of both sides. */
  readonly shards: Readonly<Record<string, string>>
  readonly tenants: readonly string[]
  readonly writesPerSecond: number
  readonly writers: number
  readonly seed: number
  readonly ledgerPath: string
}

/** A migration at the API (`http://…/api/v1/migrations/{id}`), or whichever one a server comes to know; until then `first` holds. */
export type TrafficRouting =
  | { readonly kind: 'migration'; readonly url: string }
  | { readonly kind: 'once-there'; readonly serverUrl: string; readonly first: Routing }

/** What it says about itself, one JSON line at a time, on its standard output. */
export interface TrafficReport {
  /** The last line: everything is written and the ledger is closed. */
  readonly done: boolean
  /** The answer to `window`: its latencies are all of that window, those of the reports after it begin anew. */
  readonly windowEnds: boolean
  readonly acknowledged: number
  readonly errors: number
  /** Writes whose connection broke before the answer: no error, no acknowledgement. */
  readonly unknown: number
  /** Writes that were held while their range was fenced, and for how long. */
  readonly holds: number
  readonly holdMs: Percentiles
  /** From the call to the answer, of all writes since the start or the end of the last window, holds included. */
  readonly latencyMs: Percentiles & { readonly p95: number }
}

export interface Percentiles {
  readonly p50: number
  readonly p99: number
  readonly max: number
}
