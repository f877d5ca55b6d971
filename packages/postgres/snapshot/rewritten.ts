import { fail } from '@crossfade/model/failure.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import type { Chunk } from '@crossfade/pipeline/data-plane.ts'
import type { ClientBase } from 'pg'
import { quoteTable } from '../connection/quote.ts'

/**
 * Throws CF3104 when the leaf's rows no longer lie in the pages that were planned, because VACUUM FULL, CLUSTER or ALTER TABLE wrote it anew. Called after the chunk was read and
 * in the same transaction, whose lock on the leaf keeps it as it is until then. A truncated leaf shows no rows to the snapshot any more, and its stream tells the rest.
 */
export async function checkStillThere(source: ClientBase, chunk: Chunk, rows: number): Promise<void> {
  if (chunk.filenode === undefined) return
  const leaf = quoteTable(chunk.leaf)
  const { rows: found } = await source.query<{ filenode: string | null }>(
    'SELECT pg_catalog.pg_relation_filenode($1::regclass) AS filenode',
    [leaf],
  )
  if (Number(found[0]?.filenode) === chunk.filenode) return
  const visible = rows > 0 ? 1 : (await source.query(`SELECT FROM ONLY ${leaf} LIMIT 1`)).rowCount
  if (visible) throw fail('CF3104', { table: tableKey(chunk.leaf) })
}
