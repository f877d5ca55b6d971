import { tableKey } from '@crossfade/model/table-name.ts'
import pg from 'pg'
import type { Relation, RelationColumn } from './message.ts'
import type { StreamEvent } from './transaction.ts'

/** A table of the plan and its columns as they were when the plan was resolved, without generated ones. */
export interface FollowedTable {
  readonly schema: string
  readonly name: string
  /** Null: whatever the stream says first is taken as the shape. A type that is null is not compared. */
  readonly columns: readonly { readonly name: string; readonly typeOid: number | null }[] | null
}

/** Notices when a table of the plan changes its shape on the source: column added, dropped, renamed, retyped, identity changed, table renamed. */
export class RelationShapes {
  readonly #planned: ReadonlyMap<string, FollowedTable>
  readonly #seen = new Map<string, readonly string[]>()
  readonly #names = new Map<number, { readonly schema: string; readonly name: string }>()
  readonly #types = new Map<number, string>()

  constructor(tables: readonly FollowedTable[]) {
    this.#planned = new Map(tables.map((table) => [tableKey(table), table]))
  }

  learnType(oid: number, schema: string, name: string): void {
    this.#types.set(oid, `${schema}.${name}`)
  }

  /** The events that the table's new description causes, in order; none when nothing changed or the table isn't in the plan. */
  observe(relation: Relation): StreamEvent[] {
    const events: StreamEvent[] = []
    const key = tableKey(relation)
    const former = this.#names.get(relation.oid)
    if (former !== undefined && tableKey(former) !== key) {
      this.#names.delete(relation.oid)
      events.push({ kind: 'relationChanged', ...former, before: this.#seen.get(tableKey(former)) ?? [], after: [] })
    }
    const planned = this.#planned.get(key)
    if (planned === undefined) return events
    this.#names.set(relation.oid, { schema: relation.schema, name: relation.name })
    const after = relation.columns.map((column) => this.#describe(column))
    const before = this.#seen.get(key)
    this.#seen.set(key, after)
    if (before === undefined) {
      if (planned.columns !== null && !sameColumns(planned.columns, relation.columns)) {
        events.push(
          changed(
            relation,
            planned.columns.map(({ name, typeOid }) =>
              typeOid === null ? name : `${name} ${this.#type(typeOid, -1)}`,
            ),
            after,
          ),
        )
      }
    } else if (before.length !== after.length || before.some((column, i) => column !== after[i])) {
      events.push(changed(relation, before, after))
    }
    return events
  }

  #describe(column: RelationColumn): string {
    return `${column.name} ${this.#type(column.typeOid, column.typeModifier)}${column.key ? ' key' : ''}`
  }

  #type(oid: number, modifier: number): string {
    const name = this.#types.get(oid) ?? builtinTypes.get(oid) ?? `type ${oid}`
    if (modifier < 0) return name
    if (name === 'numeric') return `numeric(${((modifier - 4) >> 16) & 0xffff},${(modifier - 4) & 0x7ff})`
    if (name === 'varchar' || name === 'bpchar') return `${name}(${modifier - 4})`
    return `${name}(${modifier})`
  }
}

function changed(relation: Relation, before: readonly string[], after: readonly string[]): StreamEvent {
  return { kind: 'relationChanged', schema: relation.schema, name: relation.name, before, after }
}

function sameColumns(planned: NonNullable<FollowedTable['columns']>, columns: readonly RelationColumn[]): boolean {
  if (planned.length !== columns.length) return false
  const types = new Map(columns.map((column) => [column.name, column.typeOid]))
  return planned.every(({ name, typeOid }) => types.has(name) && (typeOid === null || types.get(name) === typeOid))
}

const builtinTypes = new Map(Object.entries(pg.types.builtins).map(([name, oid]) => [Number(oid), name.toLowerCase()]))
