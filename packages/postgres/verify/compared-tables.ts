import { fail } from '@crossfade/model/failure.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import { type TableName, tableKey } from '@crossfade/model/table-name.ts'
import type { ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import type { ReversibleTransform } from '@crossfade/pipeline/transform.ts'
import type { ClientBase } from 'pg'
import { type ComparedTable, comparedTable } from './compared-table.ts'
import { readShape } from './relation-shape.ts'

export interface ComparedTablesOptions {
  readonly plan: ResolvedPlan
  read<T>(shard: ShardId, work: (client: ClientBase) => Promise<T>): Promise<T>
  readonly transforms: (name: string) => ReversibleTransform
}

/** What is known about the plan's tables, read from the catalogs when it is first asked for. */
export class ComparedTables {
  readonly #options: ComparedTablesOptions
  readonly #known = new Map<string, Promise<ComparedTable>>()

  constructor(options: ComparedTablesOptions) {
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
