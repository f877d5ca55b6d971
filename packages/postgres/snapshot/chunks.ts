import { fail } from '@crossfade/model/failure.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import { type TableName, tableKey } from '@crossfade/model/table-name.ts'
import type { Chunk } from '@crossfade/pipeline/data-plane.ts'
import type { ResolvedPlan, ResolvedTable } from '@crossfade/pipeline/resolved-plan.ts'
import type { ClientBase } from 'pg'
import { quoteTable } from '../connection/quote.ts'

/** A table of many pages is never split finer than this, so that chunks stay worth their transaction. */
const chunkPagesMin = 8

/**
 * Splits the tables of one source shard into chunks of about `plan.copy.chunkBytesMax`, TOAST counted in; the last chunk of each leaf is open at its end.
 * The same catalog gives the same chunks. Tables without identity are one chunk, because their changes are told apart by one snapshot position;
 * reference tables are read from the first source shard alone.
 */
export async function planChunks(client: ClientBase, plan: ResolvedPlan, source: ShardId): Promise<readonly Chunk[]> {
  const chunks: Chunk[] = []
  for (const table of plan.tables) {
    if (table.route.kind === 'reference' && plan.source.shards[0]?.id !== source) continue
    const leaves = await measureLeaves(client, leavesOf(table))
    let number = 0
    for (const leaf of leaves) {
      for (const range of splitLeaf(leaf, table.identity.kind === 'key', plan.copy.chunkBytesMax)) {
        number += 1
        chunks.push({
          id: chunkId(source, table.source, number),
          source,
          table: table.source,
          leaf: leaf.name,
          ...range,
          ...(leaf.filenode === null ? {} : { filenode: leaf.filenode }),
        })
      }
    }
  }
  return chunks
}

/** `source/a public.orders 3` */
export function chunkId(source: ShardId, table: TableName, number: number): string {
  return `${chunkIdPrefix(source, table)}${number}`
}

/** What the ids of all chunks of a table on one source begin with. */
export function chunkIdPrefix(source: ShardId, table: TableName): string {
  return `${source} ${tableKey(table)} `
}

/** Whether an id is that of a chunk of the table and source whose prefix is given. */
export function isChunkOf(id: string, prefix: string): boolean {
  return id.startsWith(prefix) && /^\d+$/.test(id.slice(prefix.length))
}

export interface LeafSize {
  readonly name: TableName
  /** Pages of the heap, now. */
  readonly pages: number
  /** Heap and TOAST. */
  readonly bytes: number
  readonly rows: number
  /** Null for a partitioned table, which has no file of its own. */
  readonly filenode: number | null
}

type PageRange = Pick<Chunk, 'fromPage' | 'toPage' | 'estimatedRows' | 'estimatedBytes'>

/** Ranges of pages that cover the leaf, however long it grows. */
export function splitLeaf(leaf: LeafSize, splittable: boolean, chunkBytesMax: number): readonly PageRange[] {
  const bytesPerPage = leaf.bytes / Math.max(leaf.pages, 1)
  const pagesPerChunk = Math.max(chunkPagesMin, Math.floor(chunkBytesMax / Math.max(bytesPerPage, 1)))
  const count = splittable ? Math.max(1, Math.ceil(leaf.pages / pagesPerChunk)) : 1
  return Array.from({ length: count }, (_, index) => {
    const fromPage = index * pagesPerChunk
    const last = index === count - 1
    const share = last ? 1 - (index * pagesPerChunk) / Math.max(leaf.pages, 1) : pagesPerChunk / leaf.pages
    return {
      fromPage,
      toPage: last ? null : fromPage + pagesPerChunk,
      estimatedRows: Math.round(leaf.rows * share),
      estimatedBytes: Math.round(leaf.bytes * share),
    }
  })
}

/** What is read one by one. A table without identity is read through its root, all partitions in one statement. */
function leavesOf(table: ResolvedTable): readonly TableName[] {
  return table.identity.kind === 'key' && table.leaves.length > 0 ? table.leaves : [table.source]
}

async function measureLeaves(client: ClientBase, leaves: readonly TableName[]): Promise<readonly LeafSize[]> {
  const { rows } = await client.query<Record<keyof LeafSize, string | null>>(measureSql, [leaves.map(quoteTable)])
  return leaves.map((name, index) => {
    const row = rows[index]!
    if (row.pages === null) throw fail('CF3104', { table: tableKey(name) })
    return {
      name,
      pages: Number(row.pages),
      bytes: Number(row.bytes),
      rows: Number(row.rows),
      filenode: row.filenode === null ? null : Number(row.filenode),
    }
  })
}

/** A partitioned table has the size of its leaves; one that is not there has none. */
const measureSql = `
SELECT pg_catalog.pg_relation_filenode(l.oid) AS filenode, s.pages, s.bytes, s.rows
FROM (SELECT n, pg_catalog.to_regclass(name)::oid AS oid FROM unnest($1::text[]) WITH ORDINALITY AS u (name, n)) AS l
CROSS JOIN LATERAL (
  SELECT sum(pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::bigint) AS pages,
    sum(pg_catalog.pg_table_size(c.oid)) AS bytes,
    sum(greatest(c.reltuples, 0))::bigint AS rows
  FROM pg_catalog.pg_class AS c
  WHERE c.oid = l.oid OR c.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree(l.oid) WHERE isleaf)
) AS s
ORDER BY l.n`
