import { fail } from '@crossfade/model/failure.ts'
import type { MigrationId, ShardId } from '@crossfade/model/ids.ts'
import type { Lsn } from '@crossfade/model/lsn.ts'
import type { Side } from '@crossfade/model/stage.ts'
import { type TableName, tableKey } from '@crossfade/model/table-name.ts'
import type { Verification } from '@crossfade/pipeline/data-plane.ts'
import type { ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import type { ReversibleTransform } from '@crossfade/pipeline/transform.ts'
import type { ClientBase } from 'pg'
import { type ComparedTable, comparedTable } from './compared-table.ts'
import type { Comparison } from './look.ts'
import { tableRanges } from './ranges.ts'
import { readShape } from './relation-shape.ts'
import { verifyRange } from './verify-range.ts'

export interface VerificationOptions {
  readonly plan: ResolvedPlan
  readonly migration: MigrationId
  /** Lends an ordinary session of a shard of either side, in no transaction, with the settings of `connection/session-settings.ts`. */
  read<T>(shard: ShardId, work: (client: ClientBase) => Promise<T>): Promise<T>
  /** Lends a session that carries `crossfade.writer`. */
  write<T>(shard: ShardId, work: (client: ClientBase) => Promise<T>): Promise<T>
  /** Which side answers for the data at this moment. */
  authority(): Promise<Side>
  /** How far the changes of a shard of the side in authority are applied on the other; null while no stream runs. */
  readonly applied: ((from: ShardId) => Promise<Lsn>) | null
  readonly transforms: (name: string) => ReversibleTransform
}

/** The verification of one migration on PostgreSQL. Holds nothing but what the catalogs said about the tables. */
export function createVerification(options: VerificationOptions): Verification {
  const comparison: Comparison = options
  const tables = new ComparedTables(options)
  return {
    async ranges() {
      const authority = await options.authority()
      const each = await Promise.all(
        options.plan.tables.map(async (table) => tableRanges(comparison, await tables.get(table.source), authority)),
      )
      return each.flat()
    },
    async verify(range, context) {
      return verifyRange(comparison, await tables.get(range.table), await options.authority(), range, context)
    },
    async repair() {
      throw fail('CF9001', { reason: 'not yet' })
    },
  }
}

/** What is known about the plan's tables, read from the catalogs when it is first asked for. */
export class ComparedTables {
  readonly #options: Pick<VerificationOptions, 'plan' | 'read' | 'transforms'>
  readonly #known = new Map<string, Promise<ComparedTable>>()

  constructor(options: Pick<VerificationOptions, 'plan' | 'read' | 'transforms'>) {
    this.#options = options
  }

  /** By the source's name. Rejects with CF4101 when the table or a column is not there. */
  get(name: TableName): Promise<ComparedTable> {
    const key = tableKey(name)
    let table = this.#known.get(key)
    if (!table) {
      table = this.#read(name)
      this.#known.set(key, table)
      table.catch(() => this.#known.delete(key))
    }
    return table
  }

  async #read(name: TableName): Promise<ComparedTable> {
    const { plan, read, transforms } = this.#options
    const table = plan.tables.find((each) => tableKey(each.source) === tableKey(name))
    if (!table) throw fail('CF9001', { reason: `the plan has no table ${tableKey(name)}` })
    const sides = (['source', 'target'] as const).flatMap((side) =>
      plan[side].shards.map((shard) => ({ shard: shard.id, table: table[side] })),
    )
    const shapes = await Promise.all(
      sides.map(async (end) => [end.shard, await read(end.shard, (client) => readShape(client, end.table))] as const),
    )
    return comparedTable(plan, table, new Map(shapes), table.transform === null ? null : transforms(table.transform))
  }
}
