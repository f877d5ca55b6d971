import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import type { TableName } from '@crossfade/model/table-name.ts'
import type { TaskContext } from '@crossfade/pipeline/data-plane.ts'
import type { ClientBase } from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import { quoteIdentifier, quoteTable } from '../connection/quote.ts'

/** Writes the table's own rows (without those of children) as COPY BINARY, at the pace of the disk and the throttle. */
export async function copyTableToFile(
  client: ClientBase,
  table: TableName,
  columns: readonly string[],
  path: string,
  context: TaskContext,
): Promise<{ readonly rows: number; readonly bytes: number; readonly sha256: string }> {
  const hash = createHash('sha256')
  const file = await open(path, 'w', 0o600)
  let bytes = 0
  let unthrottled = 0
  try {
    const list = columns.map(quoteIdentifier).join(', ')
    const stream = client.query(
      copyTo(`COPY (SELECT ${list} FROM ONLY ${quoteTable(table)}) TO STDOUT (FORMAT binary)`),
    )
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      hash.update(chunk)
      await file.write(chunk)
      bytes += chunk.length
      unthrottled += chunk.length
      if (unthrottled < throttleBytes) continue
      await context.throttle('copy', unthrottled)
      unthrottled = 0
    }
    await file.sync()
    return { rows: stream.rowCount, bytes, sha256: hash.digest('hex') }
  } finally {
    await file.close()
  }
}

/** Loads a file of `copyTableToFile`. */
export async function copyFileToTable(
  client: ClientBase,
  table: TableName,
  columns: readonly string[],
  path: string,
): Promise<void> {
  const list = columns.map(quoteIdentifier).join(', ')
  await pipeline(
    createReadStream(path, { highWaterMark: readBytes }),
    client.query(copyFrom(`COPY ${quoteTable(table)}${list && ` (${list})`} FROM STDIN (FORMAT binary)`)),
  )
}

/** Rows and the sum of their hashes, independent of order. */
export async function tableDigest(client: ClientBase, table: TableName, columns: readonly string[]): Promise<string> {
  const list = columns.map(quoteIdentifier).join(', ')
  const { rows } = await client.query<{ rows: string; digest: string }>(
    `SELECT count(*)::text AS rows, coalesce(sum(hashtextextended(each::text, 0)::numeric), 0)::text AS digest
     FROM (SELECT ${list} FROM ONLY ${quoteTable(table)}) AS each`,
  )
  return `${rows[0]!.rows} ${rows[0]!.digest}`
}

/** SHA-256 of a file, hex. */
export async function fileDigest(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: readBytes })) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

const throttleBytes = 1024 * 1024
const readBytes = 256 * 1024
