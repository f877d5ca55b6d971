import { systemClock } from '@crossfade/model/clock.ts'
import type { ResolvedShard } from '@crossfade/pipeline/resolved-plan.ts'
import type { Client } from 'pg'
import type { Tuple } from '../changes/message.ts'
import { cutOff } from '../connection/connect.ts'
import { quoteIdentifier, quoteLiteral, quoteTable } from '../connection/quote.ts'
import type { DirectedTable } from './direction.ts'
import type { Layout } from './layout.ts'
import type { ParentRoute } from './parent-links.ts'
import { Pipeline } from './pipeline.ts'

/** How long a change that was streamed may stay invisible to others (its writer may be waiting for a standby) before it is looked at again. */
const visibleWaitMs = 5

/**
 * Reads single rows of the followed shard as they are now: what the stream did not send, and what only the source knows. Few and by key.
 * The connection is opened when first needed.
 */
export class OriginReader {
  readonly shard: ResolvedShard
  readonly #connect: (shard: ResolvedShard) => Promise<Client>
  #opened: Promise<{ client: Client; pipeline: Pipeline }> | null = null
  readonly #only = new Map<DirectedTable, string>()

  constructor(shard: ResolvedShard, connect: (shard: ResolvedShard) => Promise<Client>) {
    this.shard = shard
    this.#connect = connect
  }

  /** Rows by identity, as text in the order of `layout.inputs`; null for those that are not there, once the transactions `xids` can be seen. */
  async read(
    layout: Layout,
    identities: readonly Tuple[],
    xids: Iterable<number>,
  ): Promise<((string | null)[] | null)[]> {
    if (identities.length === 0) return []
    const first = await this.#readOnce(layout, identities)
    if (!first.includes(null)) return first
    await this.#untilVisible(xids)
    return this.#readOnce(layout, identities)
  }

  /** Links of parents by the value that children refer to; see `RouteLookup`. */
  async links(route: ParentRoute, values: readonly string[]): Promise<(string | null)[][]> {
    const { pipeline } = await this.#open()
    const step = pipeline.execute(linkSql(route), [arrayLiteral(values)])
    return (await pipeline.run())[step]!.rows
  }

  async select(sql: string, parameters: readonly (string | null)[]): Promise<(string | null)[][]> {
    const { pipeline } = await this.#open()
    const step = pipeline.execute(sql, parameters)
    return (await pipeline.run())[step]!.rows
  }

  async hasKey(table: DirectedTable, key: readonly string[]): Promise<boolean> {
    const { pipeline } = await this.#open()
    const match = table.key.map((column, index) => `${quoteIdentifier(column.from)} = $${index + 1}`).join(' AND ')
    const step = pipeline.execute(
      `SELECT 1 FROM ${await this.#onlyOf(table)}${quoteTable(table.from)} WHERE ${match}`,
      key,
    )
    return (await pipeline.run())[step]!.rows.length > 0
  }

  /** Drops the connection; the next read opens another. */
  close(): void {
    this.#opened?.then(
      ({ client }) => cutOff(client),
      () => {},
    )
    this.#opened = null
    this.#only.clear()
  }

  async #readOnce(layout: Layout, identities: readonly Tuple[]): Promise<((string | null)[] | null)[]> {
    const { pipeline } = await this.#open()
    const { table } = layout
    const columns = layout.inputs.columns.map((column) => quoteIdentifier(column.from)).join(', ')
    const match = table.key.map((column, index) => `${quoteIdentifier(column.from)} = $${index + 1}`).join(' AND ')
    const sql = `SELECT ${columns} FROM ${await this.#onlyOf(table)}${quoteTable(table.from)} WHERE ${match}`
    for (const identity of identities) {
      const writer = pipeline.bind(sql, layout.keyCells.length, (index) =>
        Boolean(identity.binary[layout.keyCells[index]!]),
      )
      for (const cell of layout.keyCells) writer.sizedCell(identity, cell)
      pipeline.executeBound()
    }
    return (await pipeline.run()).map((result) => result.rows[0] ?? null)
  }

  /** A transaction may be streamed a moment before others can see it. */
  async #untilVisible(xids: Iterable<number>): Promise<void> {
    const { pipeline } = await this.#open()
    for (const xid of xids) {
      for (;;) {
        pipeline.execute(runningSql, [String(xid)])
        if ((await pipeline.run())[0]!.rows.length === 0) break
        await systemClock.sleep(visibleWaitMs)
      }
    }
  }

  async #onlyOf(table: DirectedTable): Promise<string> {
    const known = this.#only.get(table)
    if (known !== undefined) return known
    const { pipeline } = await this.#open()
    const step = pipeline.execute(
      `SELECT relkind FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass(${quoteLiteral(quoteTable(table.from))})`,
    )
    const only = (await pipeline.run())[step]!.rows[0]?.[0] === 'p' ? '' : 'ONLY '
    this.#only.set(table, only)
    return only
  }

  #open(): Promise<{ client: Client; pipeline: Pipeline }> {
    this.#opened ??= this.#connect(this.shard).then(
      (client) => ({ client, pipeline: new Pipeline(client) }),
      (error: unknown) => {
        this.#opened = null
        throw error
      },
    )
    return this.#opened
  }
}

/** One row while the transaction with this 32-bit id is still running as others see it. */
const runningSql = `SELECT 1 FROM pg_catalog.pg_snapshot_xip(pg_catalog.pg_current_snapshot()) AS running
WHERE running::text::numeric % 4294967296 = $1::numeric`

/** Values and links of the parents that rows with this route refer to; `$1` is an array of values. */
export function linkSql(route: ParentRoute): string {
  const column = `p.${quoteIdentifier(route.parentColumn)}`
  const { then } = route
  const link = then.kind === 'column' || then.kind === 'parent' ? `p.${quoteIdentifier(then.column)}::text` : `''`
  return `SELECT ${column}::text, ${link} FROM ${quoteTable(route.parent)} AS p WHERE ${column} = ANY ($1)`
}

/** An array as PostgreSQL reads it. */
export function arrayLiteral(values: readonly string[]): string {
  return `{${values.map((value) => `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`).join(',')}}`
}
