import type { Brand } from '@crossfade/model/brand.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import type { Stage } from '@crossfade/model/stage.ts'
import type { TableName } from '@crossfade/model/table-name.ts'
import type { TableRoute } from '@crossfade/routing/table-route.ts'
import type { Topology } from '@crossfade/routing/topology.ts'

/**
 * SHA-256, hex, over the canonical JSON of everything in the plan but the digest itself and the tables' estimates, so that the same plan for the same schema
 * has the same digest however the tables grow.
 */
export type PlanDigest = Brand<string, 'PlanDigest'>

/** What the planner made of the user's plan: immutable, serialisable, no choice left open, no secret inside. */
export interface ResolvedPlan {
  readonly digest: PlanDigest
  readonly name: string
  /** The plan file that holds the transforms; null for a YAML plan or one without transforms. */
  readonly module: { readonly path: string; readonly sha256: string } | null
  readonly source: ResolvedSide
  readonly target: ResolvedSide
  /** Parents before children, so that foreign keys hold when rows are applied in this order. */
  readonly tables: readonly ResolvedTable[]
  readonly schema: SchemaPolicy
  readonly copy: CopyLimits
  readonly changes: ChangeLimits
  readonly verification: VerificationLimits
  readonly cutover: CutoverLimits
  readonly throttle: ThrottleLimits
  readonly gates: readonly ResolvedGate[]
  readonly backup: BackupPolicy
  /** What happens to the source at `complete`. */
  readonly archive: 'readonly' | 'leave'
}

export interface ResolvedSide {
  readonly topology: Topology
  readonly shards: readonly ResolvedShard[]
}

export interface ResolvedShard {
  readonly id: ShardId
  /** Connection URL without password; the password comes from `secret`. */
  readonly url: string
  readonly secret: SecretReference | null
  readonly serverVersion: number
}

/** Where a secret is found, never the secret. A whole URL or only its password. */
export type SecretReference =
  | { readonly from: 'environment'; readonly variable: string; readonly holds: 'url' | 'password' }
  | { readonly from: 'file'; readonly path: string; readonly holds: 'url' | 'password' }

export interface ResolvedTable {
  readonly source: TableName
  readonly target: TableName
  readonly route: TableRoute
  readonly columns: readonly ResolvedColumn[]
  readonly identity: TableIdentity
  /** SQL condition over the source's columns; rows outside are not moved. Null moves all. */
  readonly where: string | null
  /** Name of the plan's transform for this table; null moves rows untouched. */
  readonly transform: string | null
  /** True when COPY BINARY bytes and binary pgoutput cells of the source are valid on every target, column by column. */
  readonly binary: boolean
  /** Partitioned on the source: rows are read from `leaves`; changes arrive under the root's name (publish_via_partition_root). */
  readonly leaves: readonly TableName[]
  readonly estimate: { readonly rows: number; readonly bytes: number; readonly pages: number }
}

export interface ResolvedColumn {
  readonly source: string
  readonly target: string
  /** As `format_type` prints it. */
  readonly type: string
  /** Stored generated columns are computed by the target, never written. */
  readonly generated: boolean
  readonly identity: 'always' | 'default' | null
  /** It exists on that side alone, because the table's transform makes it or leaves it out. Missing: on both. */
  readonly only?: 'source' | 'target'
}

/** What makes a row of this table one row. */
export type TableIdentity =
  /** Primary key, or a unique index over not-null columns that serves as replica identity. Source column names in key order. */
  | { readonly kind: 'key'; readonly columns: readonly string[] }
  /** No key: replica identity full, rows are matched as a whole, and duplicates are counted. */
  | { readonly kind: 'full' }

export interface SchemaPolicy {
  /** `create`: Crossfade makes the target's schema; `existing`: it is there already and is only compared. */
  readonly mode: 'create' | 'existing'
  readonly ddl: 'stop' | 'apply'
  readonly largeObjects: 'block' | 'ignore'
}
export interface CopyLimits {
  readonly chunkBytesMax: number
  readonly jobsPerWorker: number
}
export interface ChangeLimits {
  readonly batchRowsMax: number
  readonly batchBytesMax: number
  readonly batchMsMax: number
  readonly spoolBytesMax: number
}
export interface VerificationLimits {
  readonly chunkRowsMax: number
  readonly rechecksMax: number
  readonly recheckMs: number
  readonly touchedKeysMax: number
  readonly mismatchesReportedMax: number
}
export interface CutoverLimits {
  /** Units (source shards) that move together, in order. One group: all at once. */
  readonly groups: readonly (readonly ShardId[])[]
  /** From the fence to the open target; past it everything is put back. */
  readonly deadlineMs: number
  /** How long the fence may wait for the locks of running transactions before it gives up and tries again. */
  readonly fenceLockMsMax: number
  readonly attemptsMax: number
  /** The cutover does not start while a transaction older than this is open on the side that gives up authority. */
  readonly transactionMsMax: number
  readonly lagMsMax: number
  readonly sequenceMargin: number
  readonly hooks: readonly CutoverHook[]
}
/** What else is told, in order, around the flip. */
export type CutoverHook =
  | {
      readonly kind: 'pgbouncer'
      readonly adminUrl: string
      readonly secret: SecretReference | null
      readonly configPath: string
      readonly databases: readonly string[]
    }
  | {
      readonly kind: 'webhook'
      readonly url: string
      readonly secret: SecretReference | null
      readonly timeoutMs: number
    }
  | { readonly kind: 'command'; readonly command: readonly string[]; readonly timeoutMs: number }
export interface ThrottleLimits {
  /** Probe latency may rise by this share over its baseline (0.05: five percent); null switches the closed loop off. */
  readonly latencyBudget: number | null
  readonly probes: readonly ThrottleProbe[]
  readonly activeBackendsMax: number | null
  readonly replicaLagMsMax: number | null
  /** WAL a slot of ours may hold back: over the first the copy is paused, over the second the migration fails closed. */
  readonly walBytesPause: number
  readonly walBytesMax: number
  readonly diskFreeBytesMin: number | null
  /** When the copy may run; empty: always. */
  readonly windows: readonly ThrottleWindow[]
}
export type ThrottleProbe =
  | {
      readonly kind: 'query'
      readonly name: string
      readonly shard: ShardId
      readonly sql: string
      readonly value: 'latency' | 'result'
      readonly max: number | null
    }
  | {
      readonly kind: 'http'
      readonly name: string
      readonly url: string
      readonly path: string
      readonly max: number | null
    }
export interface ThrottleWindow {
  /** Cron expression of the moment it opens, and its length. */
  readonly cron: string
  readonly timezone: string
  readonly durationMs: number
}
export interface ResolvedGate {
  readonly stage: Stage
  readonly kind: 'lag' | 'verified' | 'query' | 'http' | 'manual' | 'latency'
  readonly name: string
  readonly limit: number | null
  readonly soakMs: number
  /** Watched on after the stage was entered; a breach that lasts `breachMs` retreats one rung. Null: never by itself. */
  readonly retreatAfterMs: number | null
  readonly sql: string | null
  readonly shard: ShardId | null
  readonly url: string | null
}
export interface BackupPolicy {
  readonly mode: 'none' | 'before-start'
  readonly directory: string | null
  /** Restore it beside, verify it, and drop it again. */
  readonly drill: boolean
}
