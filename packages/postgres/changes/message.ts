import type { Lsn } from '@crossfade/model/lsn.ts'

/**
 * The messages of PostgreSQL's logical replication protocol, versions 1 to 4, as `decodeMessage` gives them.
 * Source: "Logical Replication Message Formats" and "Logical Streaming Replication Parameters" in PostgreSQL's manual.
 *
 * Times are as sent: microseconds since 2000-01-01 UTC by the source's clock (`epochMs` converts). `finalLsn`, `commitLsn` and `prepareLsn` are
 * where the record starts, `endLsn` is where it ends. `xid` of a row message is null outside streamed segments; inside it may be a sub-transaction's.
 */
export type PgoutputMessage =
  | { readonly tag: 'begin'; readonly finalLsn: Lsn; readonly commitTime: bigint; readonly xid: number }
  | { readonly tag: 'commit'; readonly commitLsn: Lsn; readonly endLsn: Lsn; readonly commitTime: bigint }
  | { readonly tag: 'origin'; readonly originLsn: Lsn; readonly name: string }
  | { readonly tag: 'relation'; readonly xid: number | null; readonly relation: Relation }
  /** Sent before the first table that has a column of the type, unless the server was built with it. Of a domain, `oid` is its own and the name that of its base type. */
  | {
      readonly tag: 'type'
      readonly xid: number | null
      readonly oid: number
      readonly schema: string
      readonly name: string
    }
  | { readonly tag: 'insert'; readonly xid: number | null; readonly relation: Relation; readonly after: Tuple }
  | {
      readonly tag: 'update'
      readonly xid: number | null
      readonly relation: Relation
      /** `key`: the old key, sent when it changed; `full`: the whole old row (replica identity full); null when the key stayed. */
      readonly before: OldTuple | null
      readonly after: Tuple
    }
  | { readonly tag: 'delete'; readonly xid: number | null; readonly relation: Relation; readonly before: OldTuple }
  | {
      readonly tag: 'truncate'
      readonly xid: number | null
      readonly relations: readonly Relation[]
      readonly cascade: boolean
      readonly restartIdentity: boolean
    }
  | {
      readonly tag: 'message'
      readonly xid: number | null
      readonly transactional: boolean
      readonly lsn: Lsn
      readonly prefix: string
      readonly content: Buffer
    }
  | { readonly tag: 'streamStart'; readonly xid: number; readonly firstSegment: boolean }
  | { readonly tag: 'streamStop' }
  | {
      readonly tag: 'streamCommit'
      readonly xid: number
      readonly commitLsn: Lsn
      readonly endLsn: Lsn
      readonly commitTime: bigint
    }
  | {
      readonly tag: 'streamAbort'
      readonly xid: number
      readonly subXid: number
      readonly abortLsn: Lsn | null
      readonly abortTime: bigint | null
    }
  | {
      readonly tag: 'beginPrepare'
      readonly prepareLsn: Lsn
      readonly endLsn: Lsn
      readonly prepareTime: bigint
      readonly xid: number
      readonly gid: string
    }
  | {
      readonly tag: 'prepare'
      readonly prepareLsn: Lsn
      readonly endLsn: Lsn
      readonly prepareTime: bigint
      readonly xid: number
      readonly gid: string
    }
  | {
      readonly tag: 'commitPrepared'
      readonly commitLsn: Lsn
      readonly endLsn: Lsn
      readonly commitTime: bigint
      readonly xid: number
      readonly gid: string
    }
  | {
      readonly tag: 'rollbackPrepared'
      readonly prepareEndLsn: Lsn
      readonly rollbackEndLsn: Lsn
      readonly prepareTime: bigint
      readonly rollbackTime: bigint
      readonly xid: number
      readonly gid: string
    }
  | {
      readonly tag: 'streamPrepare'
      readonly prepareLsn: Lsn
      readonly endLsn: Lsn
      readonly prepareTime: bigint
      readonly xid: number
      readonly gid: string
    }

export type RowMessage = Extract<PgoutputMessage, { tag: 'insert' | 'update' | 'delete' | 'truncate' }>

export interface OldTuple {
  readonly kind: 'key' | 'full'
  readonly tuple: Tuple
}

/** A table as the stream last described it; the same object until the stream describes it anew. */
export interface Relation {
  readonly oid: number
  readonly schema: string
  readonly name: string
  readonly replicaIdentity: 'default' | 'nothing' | 'full' | 'index'
  readonly columns: readonly RelationColumn[]
}

export interface RelationColumn {
  readonly name: string
  readonly typeOid: number
  readonly typeModifier: number
  /** Part of the replica identity. */
  readonly key: boolean
}

/**
 * One row as the stream sent it: cells lie in `bytes`, none is decoded. In a `key` old tuple the columns outside the key are null.
 * A tuple stays valid for as long as it is held (its bytes are never reused).
 */
export interface Tuple {
  readonly bytes: Buffer
  /** Where each cell's value starts in `bytes`; meaningless when its length is negative. */
  readonly starts: readonly number[] | Int32Array
  /** Bytes of each cell's value, or `nullCell`, or `unchangedCell`. */
  readonly lengths: readonly number[] | Int32Array
  /** For each cell whether its value is in the type's binary format (else text). */
  readonly binary: readonly boolean[] | Uint8Array
}

export const nullCell = -1
/** An unchanged TOAST value that the stream did not send. It must never be written as empty or null (D08). */
export const unchangedCell = -2

const postgresEpochMs = 946_684_800_000

/** Milliseconds since 1970 of a time in a message. */
export function epochMs(time: bigint): number {
  return Number(time / 1000n) + postgresEpochMs
}
