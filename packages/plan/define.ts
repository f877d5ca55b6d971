// What a plan file imports: `import { definePlan, env, hash } from '@crossfade/plan/define.ts'`.
import type { Connection, PlanDocument, SecretSource, ShardKey, TopologySpec } from './schema.ts'
import type { RowFunction, Transformer } from './transform/transformer.ts'

/** A plan as people write it. Everything but name, source and target has a default that is good for most. */
export type Plan = Omit<PlanDocument, 'tables'> & { readonly tables?: PlanTables }

type PlanTables = Omit<NonNullable<PlanDocument['tables']>, 'transform'> & {
  /** What is done to the rows of a table on their way: a function, a transformer, or a list that is applied in order. */
  readonly transform?: Readonly<Record<string, RowFunction | Transformer | readonly (RowFunction | Transformer)[]>>
}

/** Types and completes a plan in the editor; returns it unchanged. It is validated when it is loaded. */
export function definePlan(plan: Plan): Plan {
  return plan
}

/** A secret or URL that the environment holds: `urlFrom: env('SOURCE_URL')`. */
export function env(variable: string): SecretSource {
  return { env: variable }
}

/** A secret or URL that a file holds (its first line): `passwordFrom: file('/run/secrets/source')`. */
export function file(path: string): SecretSource {
  return { file: path }
}

/**
 * Keys are hashed into a fixed number of buckets and every shard owns whole buckets. Without `owners` the shards share them
 * evenly, in the order in which they are written; with it: `owners: { a: [[0, 511]], b: [[512, 1023]] }`, both ends included.
 */
export function hash(options: { buckets: number; owners?: Record<string, [number, number][]> }): TopologySpec {
  return { hash: options }
}

/**
 * Ordered ranges of the key. Each goes up to, but not including, `below`; the last has none:
 * `ranges([{ shard: 'a', below: '1000' }, { shard: 'b' }])`. `order` says how keys compare: as integers (default) or as text by bytes.
 */
export function ranges(
  list: { shard: string; below?: string }[],
  options: { order?: 'integer' | 'text' } = {},
): TopologySpec {
  return { ranges: list, ...options }
}

/** A table that names the shard of each key. It is read from the side's first shard, or from `shard`. `otherwise` takes the keys it does not list. */
export function directory(options: {
  table: string
  keyColumn: string
  shardColumn: string
  shard?: string
  otherwise?: string
}): TopologySpec {
  return { directory: options }
}

/** A shard key that is found in a parent row: `channel_configurations: via('channel_id', 'channels')`. */
export function via(column: string, parent: string, parentColumn?: string): ShardKey {
  return parentColumn === undefined ? { via: column, parent } : { via: column, parent, parentColumn }
}

/** A database by its URL (without password) and where its password is found. */
export function database(url: string, passwordFrom?: SecretSource): Connection {
  return passwordFrom === undefined ? { url } : { url, passwordFrom }
}
