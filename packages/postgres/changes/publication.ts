import { fail, reasonOf } from '@crossfade/model/failure.ts'
import { type TableName, tableKey } from '@crossfade/model/table-name.ts'
import type { ClientBase } from 'pg'
import { codeOf } from '../connection/connection-failure.ts'
import { quoteIdentifier, quoteTable } from '../connection/quote.ts'

export interface PublicationOptions {
  /** For messages. */
  readonly shard: string
  readonly publication: string
  /** Roots of partitioned tables, not their leaves: changes are published under the root's name (D19). */
  readonly tables: readonly TableName[]
}

/**
 * Creates the publication, or makes an existing one equal to what is asked for. Idempotent. It must exist before the slot: the stream sees the catalog
 * as it was at each change. The client must not be in a transaction. Rejects with CF3023, e.g. when the role does not own a table.
 */
export async function createPublication(client: ClientBase, options: PublicationOptions): Promise<void> {
  const { shard, publication, tables } = options
  const name = quoteIdentifier(publication)
  // ONLY: children by inheritance are tables of their own in the plan.
  const list = tables.map((table) => `ONLY ${quoteTable(table)}`).join(', ')
  try {
    const existing = await readPublication(client, publication)
    if (existing === null) {
      await client.query(`CREATE PUBLICATION ${name}${list && ` FOR TABLE ${list}`} WITH (${publicationSettings})`)
      return
    }
    if (!existing.asWanted) await client.query(`ALTER PUBLICATION ${name} SET (${publicationSettings})`)
    if (sameTables(existing.tables, tables)) return
    if (tables.length > 0) await client.query(`ALTER PUBLICATION ${name} SET TABLE ${list}`)
    else await client.query(`ALTER PUBLICATION ${name} DROP TABLE ${existing.tables.map(quoteTable).join(', ')}`)
  } catch (error) {
    const code = codeOf(error)
    // Another process was faster: look again.
    if (code === '42710' || code === '23505') return createPublication(client, options)
    if (code === undefined || !/^(42|55|0A|22)/.test(code)) throw error
    throw fail('CF3023', { shard, publication, reason: reasonOf(error) }, error)
  }
}

/** Idempotent. */
export async function dropPublication(client: ClientBase, publication: string): Promise<void> {
  await client.query(`DROP PUBLICATION IF EXISTS ${quoteIdentifier(publication)}`)
}

/** Names of the database's publications that start with `prefix`. */
export async function publicationsNamed(client: ClientBase, prefix: string): Promise<readonly string[]> {
  const { rows } = await client.query(
    'SELECT pubname FROM pg_catalog.pg_publication WHERE starts_with(pubname::text, $1) ORDER BY 1',
    [prefix],
  )
  return rows.map((row: { pubname: string }) => row.pubname)
}

const publicationSettings = "publish = 'insert, update, delete, truncate', publish_via_partition_root = true"

interface ExistingPublication {
  readonly asWanted: boolean
  readonly tables: readonly TableName[]
}

async function readPublication(client: ClientBase, publication: string): Promise<ExistingPublication | null> {
  const { rows } = await client.query(
    `SELECT pubviaroot AND pubinsert AND pubupdate AND pubdelete AND pubtruncate AS wanted
     FROM pg_catalog.pg_publication WHERE pubname = $1`,
    [publication],
  )
  if (rows.length === 0) return null
  const members = await client.query<{ schema: string; name: string }>(
    `SELECT n.nspname AS schema, c.relname AS name
     FROM pg_catalog.pg_publication p
     JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid
     JOIN pg_catalog.pg_class c ON c.oid = r.prrelid
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE p.pubname = $1`,
    [publication],
  )
  const wanted: unknown = rows[0].wanted
  return { asWanted: wanted === 't' || wanted === true, tables: members.rows }
}

function sameTables(a: readonly TableName[], b: readonly TableName[]): boolean {
  const keys = new Set(a.map(tableKey))
  return a.length === b.length && b.every((table) => keys.has(tableKey(table)))
}
