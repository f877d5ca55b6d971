// Rows per second of the pgoutput decoder alone, and of decoder and assembler together. Prints one JSON line with --json.

import { asMigrationId } from '@crossfade/model/ids.ts'
import { asLsn } from '@crossfade/model/lsn.ts'
import { TransactionAssembler } from '@crossfade/postgres/changes/assemble.ts'
import { PgoutputDecoder } from '@crossfade/postgres/changes/decode.ts'
import { encode, tupleOf } from '@crossfade/postgres/changes/encoder-testing.ts'
import type { PgoutputMessage, Relation } from '@crossfade/postgres/changes/message.ts'
import { median } from './median.ts'

/** One block holds what a read of the socket would: about 64 KiB of transactions of 100 rows. */
const blockBytes = 64 * 1024
const rowsPerTransaction = 100
const roundMs = 1_000
const rounds = 5

interface Block {
  readonly bytes: Buffer
  readonly frames: readonly number[]
  readonly rows: number
}

const columns = ['id', 'tenant_id', 'channel_id', 'status', 'body', 'created_at', 'attempts', 'note']
const relation: Relation = {
  oid: 16_400,
  schema: 'public',
  name: 'messages',
  replicaIdentity: 'default',
  columns: columns.map((name, i) => ({ name, typeOid: 25, typeModifier: -1, key: i === 0 })),
}

function row(i: number): PgoutputMessage {
  const text = (value: string) => ({ text: Buffer.from(value) })
  const after = tupleOf([
    text(String(i)),
    text(String(i % 97)),
    text('b6f0c9d2-64a5-4f0e-9b53-0c1d2e3f4a5b'),
    text('delivered'),
    text('A message of some length, as people write them to each other all day.'),
    text('2024-05-06 07:08:09.123456+00'),
    text('1'),
    null,
  ])
  if (i % 3 === 0) return { tag: 'insert', xid: null, relation, after }
  return { tag: 'update', xid: null, relation, before: null, after }
}

function makeBlock(): Block {
  const parts: Buffer[] = []
  const frames: number[] = []
  let at = 0
  let rows = 0
  const add = (message: PgoutputMessage) => {
    const bytes = encode(message)
    frames.push(at, at + bytes.length)
    parts.push(bytes)
    at += bytes.length
  }
  while (at < blockBytes) {
    add({ tag: 'begin', finalLsn: asLsn(100n), commitTime: 0n, xid: 1 })
    add({ tag: 'relation', xid: null, relation })
    for (let i = 0; i < rowsPerTransaction; i++) add(row(rows++))
    add({ tag: 'commit', commitLsn: asLsn(100n), endLsn: asLsn(200n), commitTime: 0n })
  }
  return { bytes: Buffer.concat(parts), frames, rows }
}

function measure(work: () => number): number {
  const results: number[] = []
  for (let round = 0; round <= rounds; round++) {
    let rows = 0
    const started = performance.now()
    while (performance.now() - started < roundMs) rows += work()
    // The first round warms up.
    if (round > 0) results.push((rows / (performance.now() - started)) * 1_000)
  }
  return median(results)
}

const block = makeBlock()
const decoder = new PgoutputDecoder()
const decoded = measure(() => {
  for (let i = 0; i < block.frames.length; i += 2) decoder.decode(block.bytes, block.frames[i]!, block.frames[i + 1]!)
  return block.rows
})
const assembler = new TransactionAssembler({ migration: asMigrationId('mig_bench'), tables: [] })
const assembled = measure(() => {
  let rows = 0
  for (let i = 0; i < block.frames.length; i += 2) {
    assembler.accept(block.bytes, block.frames[i]!, block.frames[i + 1]!)
    for (let event = assembler.take(); event !== undefined; event = assembler.take())
      if (event.kind === 'piece') rows += event.piece.rows.length
  }
  return rows
})
const bytesPerRow = Math.round(block.bytes.length / block.rows)
const result = {
  decodedRowsPerSecond: Math.round(decoded),
  assembledRowsPerSecond: Math.round(assembled),
  columns: columns.length,
  bytesPerRow,
}
if (process.argv.includes('--json')) console.log(JSON.stringify(result))
else
  console.log(
    `${result.columns} columns, ${bytesPerRow} bytes a row: ${result.decodedRowsPerSecond} rows/s decoded, ${result.assembledRowsPerSecond} rows/s assembled`,
  )
