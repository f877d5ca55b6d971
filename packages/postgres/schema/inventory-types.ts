import type { TableName } from '@crossfade/model/table-name.ts'

/**
 * What a database holds, as its catalog says. SQL fragments are deparsed by the server with an empty search path, so that every name in them
 * that is not in `pg_catalog` is qualified. System schemas and the schema `crossfade` are left out; so are the members of extensions.
 */
export interface Inventory {
  /** As `server_version_num`: 160004. */
  readonly serverVersion: number
  readonly database: DatabaseFacts
  readonly schemas: readonly SchemaObject[]
  readonly extensions: readonly Extension[]
  readonly types: readonly UserType[]
  readonly collations: readonly Collation[]
  readonly tables: readonly Table[]
  readonly sequences: readonly Sequence[]
  readonly views: readonly View[]
  readonly routines: readonly Routine[]
  readonly statistics: readonly StatisticsObject[]
  readonly defaultPrivileges: readonly DefaultPrivilege[]
  readonly comments: readonly Comment[]
  readonly grants: readonly Grant[]
  readonly publications: readonly Publication[]
  readonly subscriptions: readonly string[]
  readonly largeObjects: LargeObjects
  /** Kinds that Crossfade itself never writes DDL for: aggregates, operators, casts, text search, foreign data, event triggers, languages. */
  readonly others: readonly OtherObject[]
  /** For ordering DDL: what must exist before what. Only edges between objects of this inventory. */
  readonly dependencies: readonly Dependency[]
  readonly roles: readonly string[]
  readonly tablespaces: readonly string[]
}

/** Names one object of the catalog within one inventory: `pg_class 16384`. Means nothing in another database. */
export type Address = string

export interface DatabaseFacts {
  readonly name: string
  readonly owner: string
  readonly encoding: string
  readonly collate: string
  readonly ctype: string
  /** `libc`, `icu` or `builtin`. */
  readonly localeProvider: string
  readonly bytes: number
  /** Settings of ALTER DATABASE … SET, as `name=value`. */
  readonly settings: readonly string[]
}

export interface SchemaObject {
  readonly address: Address
  readonly name: string
  readonly owner: string
}

export interface Extension {
  readonly address: Address
  readonly name: string
  readonly version: string
  readonly schema: string
  readonly relocatable: boolean
  /** Tables of the extension whose rows are user data (`pg_extension_config_dump`). */
  readonly configurationTables: readonly string[]
}

interface UserTypeBase {
  readonly address: Address
  readonly name: TableName
  readonly owner: string
}
export type UserType =
  | (UserTypeBase & { readonly kind: 'enum'; readonly labels: readonly string[] })
  | (UserTypeBase & {
      readonly kind: 'domain'
      readonly base: string
      readonly collation: string | null
      readonly notNull: boolean
      readonly default: string | null
      readonly constraints: readonly { readonly name: string; readonly definition: string; readonly valid: boolean }[]
    })
  | (UserTypeBase & {
      readonly kind: 'composite'
      readonly attributes: readonly {
        readonly name: string
        readonly type: string
        readonly collation: string | null
      }[]
    })
  | (UserTypeBase & {
      readonly kind: 'range'
      readonly subtype: string
      readonly operatorClass: string | null
      readonly collation: string | null
      readonly canonical: string | null
      readonly subtypeDiff: string | null
      readonly multirange: TableName | null
    })
  /** A base type: written in C, comes with no DDL of ours. */
  | (UserTypeBase & { readonly kind: 'base' })

export interface Collation {
  readonly address: Address
  readonly name: TableName
  readonly owner: string
  readonly provider: 'libc' | 'icu' | 'builtin' | 'default'
  readonly deterministic: boolean
  readonly locale: string | null
  readonly collate: string | null
  readonly ctype: string | null
  readonly rules: string | null
}

export interface Table {
  readonly address: Address
  readonly name: TableName
  readonly kind: 'table' | 'partitioned' | 'foreign'
  readonly persistence: 'permanent' | 'unlogged'
  readonly owner: string
  /** Composite type of CREATE TABLE … OF, as SQL. */
  readonly ofType: string | null
  readonly columns: readonly Column[]
  readonly constraints: readonly Constraint[]
  /** Every index, also those that serve a constraint. */
  readonly indexes: readonly Index[]
  /** As in PARTITION BY: `RANGE (at)`; null for tables that are not partitioned. */
  readonly partitionKey: string | null
  readonly partitionOf: { readonly parent: TableName; readonly bound: string } | null
  /** The topmost partitioned table it belongs to; null for tables that are no partition. */
  readonly root: TableName | null
  /** All leaf partitions below a partitioned table, by name. */
  readonly leaves: readonly TableName[]
  /** Parents of ordinary inheritance, in order. */
  readonly inherits: readonly TableName[]
  /** True when other tables inherit from it in the ordinary way. */
  readonly inherited: boolean
  /** Storage parameters: `fillfactor=70`, `toast.autovacuum_enabled=false`. */
  readonly options: readonly string[]
  /** Null is the database's own. */
  readonly tablespace: string | null
  /** Null is `heap`. */
  readonly accessMethod: string | null
  readonly replicaIdentity: ReplicaIdentity
  readonly rowSecurity: boolean
  readonly forceRowSecurity: boolean
  readonly triggers: readonly Trigger[]
  readonly rules: readonly Rule[]
  readonly policies: readonly Policy[]
  /** Planner's estimate; -1 when never vacuumed or analyzed. For a partitioned table the sum over its leaves. */
  readonly rowsEstimate: number
  /** Pages of the main fork, by its real size. Summed for partitioned tables, like the two below. */
  readonly pages: number
  /** Heap and TOAST, without indexes. */
  readonly bytes: number
  readonly indexBytes: number
}

export type ReplicaIdentity =
  | { readonly kind: 'default' }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'full' }
  | { readonly kind: 'index'; readonly index: string }

export interface Column {
  readonly name: string
  readonly position: number
  /** As `format_type` prints it with an empty search path. */
  readonly type: string
  /** The type without its modifiers, for binary compatibility: schema and name of the element type for arrays. */
  readonly typeSchema: string
  readonly typeName: string
  /** `b` base, `c` composite, `d` domain, `e` enum, `r` range, `m` multirange; that of the element for arrays. */
  readonly typeKind: string
  readonly array: boolean
  readonly notNull: boolean
  /** Expression; null where there is none and for generated columns. */
  readonly default: string | null
  readonly generated: { readonly kind: 'stored' | 'virtual'; readonly expression: string } | null
  readonly identity: 'always' | 'default' | null
  /** Only when it is not the type's own. As SQL. */
  readonly collation: string | null
  /** Only when it is not the type's own. */
  readonly storage: 'plain' | 'external' | 'extended' | 'main' | null
  readonly compression: 'pglz' | 'lz4' | null
  readonly statisticsTarget: number | null
  /** Attribute options of ALTER COLUMN … SET (n_distinct=…). */
  readonly options: readonly string[]
  /** False when it only comes from a parent. */
  readonly local: boolean
  readonly inheritedTimes: number
}

export interface Constraint {
  readonly address: Address
  readonly name: string
  readonly kind: 'primary' | 'unique' | 'check' | 'foreign' | 'exclusion' | 'notNull'
  /** As `pg_get_constraintdef`: what follows CONSTRAINT name. */
  readonly definition: string
  /** In key order; for a check, the columns it mentions. */
  readonly columns: readonly string[]
  readonly deferrable: boolean
  readonly initiallyDeferred: boolean
  readonly valid: boolean
  /** PostgreSQL 18: false for NOT ENFORCED. */
  readonly enforced: boolean
  readonly noInherit: boolean
  /** False when it only comes from a parent or from the partitioned table. */
  readonly local: boolean
  /** The constraint of the partitioned table it was made from. */
  readonly parent: Address | null
  readonly index: string | null
  readonly references: { readonly table: TableName; readonly columns: readonly string[] } | null
}

export interface Index {
  readonly address: Address
  readonly schema: string
  readonly name: string
  /** As `pg_get_indexdef`. */
  readonly definition: string
  readonly unique: boolean
  readonly primary: boolean
  /** UNIQUE NULLS NOT DISTINCT. */
  readonly nullsNotDistinct: boolean
  readonly valid: boolean
  readonly immediate: boolean
  readonly method: string
  /** Key columns in order; null where it is an expression. Included columns are not in it. */
  readonly columns: readonly (string | null)[]
  readonly included: readonly string[]
  readonly partial: boolean
  readonly clustered: boolean
  readonly replicaIdentity: boolean
  readonly constraint: string | null
  /** The index of the partitioned table it is attached to. */
  readonly parent: Address | null
  readonly tablespace: string | null
  readonly bytes: number
}

export interface Trigger {
  readonly address: Address
  readonly name: string
  readonly definition: string
  /** `O` origin (the usual), `D` disabled, `R` replica, `A` always. */
  readonly enabled: string
  /** As SQL, with arguments types: `public.touch()`. */
  readonly function: string
  readonly parent: Address | null
  readonly constraint: boolean
}

export interface Rule {
  readonly address: Address
  readonly name: string
  readonly definition: string
  readonly enabled: string
}

export interface Policy {
  readonly address: Address
  readonly name: string
  readonly permissive: boolean
  readonly command: 'ALL' | 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE'
  /** `public` stands for everyone. */
  readonly roles: readonly string[]
  readonly using: string | null
  readonly check: string | null
}

export interface Sequence {
  readonly address: Address
  readonly name: TableName
  readonly owner: string
  readonly type: 'smallint' | 'integer' | 'bigint'
  readonly start: bigint
  readonly increment: bigint
  readonly minimum: bigint
  readonly maximum: bigint
  readonly cache: bigint
  readonly cycle: boolean
  readonly unlogged: boolean
  readonly ownedBy: { readonly table: TableName; readonly column: string; readonly identity: boolean } | null
}

export interface View {
  readonly address: Address
  readonly name: TableName
  readonly kind: 'view' | 'materialized'
  readonly owner: string
  /** The query, without a semicolon at its end. */
  readonly query: string
  readonly options: readonly string[]
  readonly tablespace: string | null
  readonly accessMethod: string | null
  readonly populated: boolean
  readonly columns: readonly { readonly name: string; readonly type: string; readonly default: string | null }[]
  /** Indexes of a materialized view. */
  readonly indexes: readonly Index[]
  readonly triggers: readonly Trigger[]
  readonly rules: readonly Rule[]
  readonly bytes: number
}

export interface Routine {
  readonly address: Address
  readonly schema: string
  readonly name: string
  readonly kind: 'function' | 'procedure' | 'window' | 'aggregate'
  /** Types of the input arguments, as `pg_get_function_identity_arguments`. */
  readonly arguments: string
  readonly owner: string
  readonly language: string
  /** As `pg_get_functiondef`; for an aggregate, CREATE AGGREGATE in the same manner. */
  readonly definition: string
  /** The body as text, for what refers to names without the catalog knowing. Null for SQL-standard bodies. */
  readonly source: string | null
  readonly securityDefiner: boolean
  readonly volatility: 'immutable' | 'stable' | 'volatile'
}

export interface StatisticsObject {
  readonly address: Address
  readonly name: TableName
  readonly table: TableName
  readonly owner: string
  readonly definition: string
  readonly target: number | null
}

/** One comment, addressed the way `COMMENT ON` does. */
export interface Comment {
  /** As `pg_identify_object`: `table`, `table column`, `table constraint`, `function`, … */
  readonly kind: string
  readonly identity: string
  readonly of: Address
  readonly column: string | null
  readonly text: string
}

/** One privilege on one object (or one column of it), explicit or not. */
export interface Grant {
  readonly kind: 'schema' | 'table' | 'sequence' | 'function' | 'procedure' | 'type' | 'database'
  /** As SQL. */
  readonly identity: string
  readonly of: Address
  readonly column: string | null
  /** `public` stands for everyone. */
  readonly grantee: string
  readonly privilege: string
  readonly grantable: boolean
  /** True when the grantee owns the object. */
  readonly toOwner: boolean
}

export interface DefaultPrivilege {
  readonly role: string
  readonly schema: string | null
  readonly objects: 'TABLES' | 'SEQUENCES' | 'FUNCTIONS' | 'TYPES' | 'SCHEMAS' | 'LARGE OBJECTS'
  readonly grantee: string
  readonly privilege: string
  readonly grantable: boolean
}

export interface Publication {
  readonly name: string
  readonly owner: string
  readonly allTables: boolean
}

export interface LargeObjects {
  readonly count: number
}

export interface OtherObject {
  readonly address: Address
  /** As `pg_identify_object`: `aggregate`, `operator`, `cast`, `event trigger`, `text search configuration`, `server`, … */
  readonly kind: string
  readonly identity: string
}

export interface Dependency {
  readonly object: Address
  readonly needs: Address
  /** Which part of the object needs it, where that part can be made later than the object. */
  readonly via: 'default' | 'check' | 'index' | null
}
