import type { ShardId } from '@crossfade/model/ids.ts'

/**
 * How keys are spread over shards. A key is always its text form, as PostgreSQL prints the column (`key::text`).
 *
 * - `single`: everything lives on one shard.
 * - `hash`: bucket = (hashtext(key) & 0x7fffffff) % buckets, the same in SQL and in `hashBucket`; a shard owns whole buckets.
 * - `range`: ordered, gapless, half-open ranges of the key; `from: null` is open below, `to: null` above.
 *   `order` says how keys compare: as integers (any size) or as text by bytes.
 * - `directory`: a table that names the shard of each key; `entries` is its content as last read, `otherwise` where unlisted keys go
 *   (null: an unlisted key is a failure).
 */
export type Topology =
  | { readonly kind: 'single'; readonly shard: ShardId }
  | {
      readonly kind: 'hash'
      readonly buckets: number
      readonly ranges: readonly { readonly shard: ShardId; readonly from: number; readonly to: number }[]
    }
  | {
      readonly kind: 'range'
      readonly order: 'integer' | 'text'
      readonly ranges: readonly { readonly shard: ShardId; readonly from: string | null; readonly to: string | null }[]
    }
  | {
      readonly kind: 'directory'
      readonly entries: Readonly<Record<string, ShardId>>
      readonly otherwise: ShardId | null
    }
