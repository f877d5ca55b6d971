import type { ShardId } from '@crossfade/model/ids.ts'
import type { Lsn } from '@crossfade/model/lsn.ts'
import type { TableName } from '@crossfade/model/table-name.ts'
import type { SecretReference } from './resolved-plan.ts'

/** Reads the catalogs of the databases of a plan. The planner, the doctor and `init` see databases through this alone; nothing here changes one. */
export interface CatalogReader {
  /** Connects to one database. Rejects with CF1003 (secret not set), CF2001 or another coded failure; never prints a secret. */
  open(shard: ShardAddress): Promise<CatalogSession>
}

export interface ShardAddress {
  readonly id: ShardId
  /** Without password; null when the secret holds the whole URL. */
  readonly url: string | null
  readonly secret: SecretReference | null
}

/** One database, read with short statements that lock nothing. Every count is bounded by a statement timeout: null says that it took too long. */
export interface CatalogSession {
  readonly shard: ShardId
  /** Where it is connected to, without password. */
  readonly url: string
  server(): Promise<ServerFacts>
  tables(): Promise<readonly CatalogTable[]>
  objects(): Promise<DatabaseObjects>
  /** Rows whose column is null; at most `limit` are counted. */
  nullRows(table: TableName, column: string, limit: number): Promise<number | null>
  /** Rows of `table` whose parent row does not exist here; at most `limit` are counted. */
  orphanRows(
    table: TableName,
    column: string,
    parent: TableName,
    parentColumn: string,
    limit: number,
  ): Promise<number | null>
  /** Distinct values as text, at most `limit`, in no order. */
  distinctKeys(table: TableName, column: string, limit: number): Promise<readonly string[] | null>
  /** Identity values of some rows, at most `limit`. */
  sampleKeys(
    table: TableName,
    columns: readonly string[],
    limit: number,
  ): Promise<readonly (readonly string[])[] | null>
  /** Those of the given identity values that exist here. */
  existingKeys(
    table: TableName,
    columns: readonly string[],
    keys: readonly (readonly string[])[],
  ): Promise<readonly (readonly string[])[] | null>
  /** The content of a directory table. Rejects with CF1021 when it holds more than `limit` rows or cannot be read. */
  directory(table: TableName, keyColumn: string, shardColumn: string, limit: number): Promise<readonly DirectoryEntry[]>
  /** Whether `SELECT … WHERE condition` over the table is valid SQL; the server's message when it is not. */
  checkCondition(table: TableName, condition: string): Promise<string | null>
  /** Watches the server for a while and says how fast it is being written. */
  writeRate(milliseconds: number): Promise<WriteRate>
  close(): Promise<void>
}

export interface DirectoryEntry {
  readonly key: string
  readonly shard: string
}

export interface WriteRate {
  readonly rowsPerSecond: number
  readonly walBytesPerSecond: number
}

export interface ServerFacts {
  /** As `server_version_num` says it: 180004. */
  readonly version: number
  /** The same for all databases of one running server, and for no other. */
  readonly instance: string
  readonly database: string
  readonly databaseOid: number
  /** The role that owns the database. */
  readonly databaseOwner: string
  readonly sizeBytes: number
  readonly encoding: string
  readonly collate: string
  readonly ctype: string
  readonly localeProvider: string
  readonly timezone: string
  readonly inRecovery: boolean
  readonly walLevel: string
  readonly lsn: Lsn
  readonly maxReplicationSlots: number
  readonly usedReplicationSlots: number
  readonly maxWalSenders: number
  readonly usedWalSenders: number
  readonly maxConnections: number
  readonly usedConnections: number
  /** Null: unlimited. */
  readonly maxSlotWalKeepBytes: number | null
  readonly role: RoleFacts
  /** Free space where the data lies; null when it cannot be seen from here. */
  readonly diskFreeBytes: number | null
}

export interface RoleFacts {
  readonly name: string
  readonly superuser: boolean
  readonly replication: boolean
  readonly bypassRowSecurity: boolean
  /** May create schemas in this database. */
  readonly createInDatabase: boolean
  /** Owns this database, or is a member of its owner: what ALTER DATABASE asks for. */
  readonly ownsDatabase: boolean
  /** May set `session_replication_role`. */
  readonly setReplicationRole: boolean
}

export interface CatalogTable {
  readonly name: TableName
  readonly kind: 'table' | 'partitioned' | 'foreign'
  readonly persistence: 'permanent' | 'unlogged'
  /** The table that this is a partition of. */
  readonly partitionOf: TableName | null
  /** All leaf partitions below a partitioned table. */
  readonly leaves: readonly TableName[]
  /** Parents by plain inheritance. */
  readonly inherits: readonly TableName[]
  readonly columns: readonly CatalogColumn[]
  /** In key order; null without primary key, or when it is deferrable (it cannot tell rows apart at every moment then). */
  readonly primaryKey: readonly string[] | null
  /** Unique indexes that are whole, valid, immediate and over not-null columns: any of them can tell rows apart. */
  readonly uniqueKeys: readonly { readonly index: string; readonly columns: readonly string[] }[]
  readonly replicaIdentity: 'default' | 'nothing' | 'full' | 'index'
  /** The index that REPLICA IDENTITY USING INDEX names. */
  readonly replicaIndex: string | null
  readonly foreignKeys: readonly CatalogForeignKey[]
  /** The planner's statistics; -1 when the table was never analysed. */
  readonly rows: number
  readonly heapBytes: number
  readonly toastBytes: number
  readonly indexBytes: number
  readonly indexCount: number
  readonly pages: number
  /** The connected role owns it, or is a member of the owner. */
  readonly owned: boolean
  readonly owner: string
  readonly canSelect: boolean
  readonly rowSecurity: boolean
  /** The extension that brought it; null for the user's own. */
  readonly extension: string | null
}

export interface CatalogColumn {
  readonly name: string
  /** As `format_type` prints it. */
  readonly type: string
  readonly notNull: boolean
  readonly generated: 'stored' | 'virtual' | null
  readonly identity: 'always' | 'default' | null
  /** Whether the type's binary form means the same on every server of version 14 or later (built-in, enum or domain over such, array of built-in). */
  readonly portable: boolean
  /** Why values of this type cannot be carried at all; null when they can. */
  readonly obstacle: string | null
  /** The extension that brought the type; null for built-in and the user's own. */
  readonly extension: string | null
}

export interface CatalogForeignKey {
  readonly name: string
  readonly columns: readonly string[]
  readonly parent: TableName
  readonly parentColumns: readonly string[]
}

export interface DatabaseObjects {
  readonly extensions: readonly { readonly name: string; readonly version: string }[]
  readonly availableExtensions: readonly string[]
  readonly eventTriggers: readonly string[]
  /** Schemas of the user in which the role may not create anything. */
  readonly closedSchemas: readonly string[]
  /** Counted up to 1,000. */
  readonly largeObjects: number
  readonly publications: readonly { readonly name: string; readonly allTables: boolean }[]
  readonly slots: readonly {
    readonly name: string
    readonly active: boolean
    readonly walBytesHeld: number
    readonly lost: boolean
  }[]
  readonly longTransactions: readonly { readonly pid: number; readonly seconds: number; readonly state: string }[]
  readonly preparedTransactions: readonly { readonly gid: string; readonly seconds: number }[]
  readonly sequences: readonly CatalogSequence[]
  /** Migrations whose control schema is in this database. */
  readonly crossfadeMigrations: readonly string[]
}

export interface CatalogSequence {
  readonly name: TableName
  /** Null: never used. */
  readonly lastValue: bigint | null
  readonly maximum: bigint
  readonly increment: bigint
  /** The column it feeds, and what that column's type can hold. */
  readonly ownedBy: { readonly table: TableName; readonly column: string; readonly type: string } | null
}
