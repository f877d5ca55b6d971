import type { ShardId } from '@crossfade/model/ids.ts'
import type { CatalogTable, WriteRate } from '@crossfade/pipeline/catalog.ts'
import type { ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'

/** What one worker on two cores reaches; `npm run bench` measures it. */
export const usualRates = {
  /** Heap bytes copied per second and source shard, binary and untouched. */
  copyBytesPerSecond: 90_000_000,
  /** The same through text, or through a transform. */
  textCopyBytesPerSecond: 40_000_000,
  /** Index bytes built per second and target. */
  indexBytesPerSecond: 60_000_000,
  /** Rows compared per second, both sides together. */
  verifyRowsPerSecond: 1_000_000,
  /** Rows of changes applied per second and stream, in a mix of inserts, updates and deletes. */
  applyRowsPerSecond: 30_000,
} as const

export type Rates = { readonly [name in keyof typeof usualRates]: number }

/** Even spread is the exception: the fullest shard gets so much more than the mean. */
const skew = 1.3
/** Row headers and full-page images: WAL of a load against the bytes of its rows. */
const walPerByte = 1.15

export interface Forecast {
  readonly rows: number
  readonly bytes: number
  readonly chunks: number
  /** Milliseconds of each part, on an otherwise idle machine; they follow one another. */
  readonly parts: { readonly copy: number; readonly indexes: number; readonly verification: number }
  readonly totalMs: number
  /** Needed on the fullest target shard, indexes included. */
  readonly targetDiskBytes: number
  /** Written to the log of the fullest target shard. */
  readonly targetWalBytes: number
  /** Held back by the slot of each source shard while the copy runs; null when the write rate was not sampled. */
  readonly sourceWalBytes: Readonly<Record<ShardId, number>> | null
}

/** How large the migration is and how long it will take. An estimate: from the catalogs' statistics and usual rates. */
export function forecast(
  plan: Omit<ResolvedPlan, 'digest'>,
  catalog: ReadonlyMap<string, readonly CatalogTable[]>,
  writeRates: ReadonlyMap<ShardId, WriteRate> | null,
  rates: Rates = usualRates,
): Forecast {
  let rows = 0
  let bytes = 0
  let chunks = 0
  let copySeconds = 0
  let indexBytes = 0
  const workers = Math.max(1, plan.source.shards.length)
  for (const table of plan.tables) {
    rows += table.estimate.rows
    bytes += table.estimate.bytes
    chunks += chunksOf(table.estimate.bytes, plan.copy.chunkBytesMax)
    copySeconds += table.estimate.bytes / (table.binary ? rates.copyBytesPerSecond : rates.textCopyBytesPerSecond)
    for (const one of catalog.get(`${table.source.schema}.${table.source.name}`) ?? []) indexBytes += one.indexBytes
  }
  const targets = plan.target.shards.length
  const share = targets === 1 ? 1 : Math.min(1, skew / targets)
  const parts = {
    copy: (copySeconds / workers) * 1000,
    indexes: ((indexBytes * share) / rates.indexBytesPerSecond) * 1000,
    verification: (rows / rates.verifyRowsPerSecond) * 1000,
  }
  const held = writeRates
    ? Object.fromEntries(
        [...writeRates].map(([shard, rate]) => [shard, (rate.walBytesPerSecond * (parts.copy + parts.indexes)) / 1000]),
      )
    : null
  return {
    rows,
    bytes,
    chunks,
    parts,
    totalMs: parts.copy + parts.indexes + parts.verification,
    targetDiskBytes: Math.round((bytes + indexBytes) * share),
    targetWalBytes: Math.round((bytes * walPerByte + indexBytes) * share),
    sourceWalBytes: held as Record<ShardId, number> | null,
  }
}

/** Chunks that a table of so many bytes is cut into. */
export function chunksOf(bytes: number, chunkBytesMax: number): number {
  return Math.max(1, Math.ceil(bytes / chunkBytesMax))
}
