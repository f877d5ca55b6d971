// For tests and benchmarks: writes the messages that decode.ts reads, from what decode.ts makes of them.
import { nullCell, type OldTuple, type PgoutputMessage, type Relation, type Tuple, unchangedCell } from './message.ts'

/** A cell's value; null, or `unchanged` for a TOAST value that isn't sent. */
export type Cell = { readonly text: Buffer } | { readonly binary: Buffer } | null | 'unchanged'

/** A tuple that holds these cells. */
export function tupleOf(cells: readonly Cell[]): Tuple {
  const parts: Buffer[] = []
  const starts: number[] = []
  const lengths: number[] = []
  const binary: boolean[] = []
  let at = 0
  for (const cell of cells) {
    const value = cell === null || cell === 'unchanged' ? null : 'text' in cell ? cell.text : cell.binary
    starts.push(at)
    lengths.push(value === null ? (cell === null ? nullCell : unchangedCell) : value.length)
    binary.push(cell !== null && cell !== 'unchanged' && 'binary' in cell)
    if (value !== null) {
      parts.push(value)
      at += value.length
    }
  }
  return { bytes: Buffer.concat(parts), starts, lengths, binary }
}

/** The cells that a tuple holds. */
export function cellsOf(tuple: Tuple): Cell[] {
  return Array.from(tuple.lengths as ArrayLike<number>, (length, i) => {
    if (length === nullCell) return null
    if (length === unchangedCell) return 'unchanged'
    const value = tuple.bytes.subarray(tuple.starts[i]!, tuple.starts[i]! + length)
    return tuple.binary[i] ? { binary: value } : { text: value }
  })
}

const tags: Record<PgoutputMessage['tag'], string> = {
  begin: 'B',
  commit: 'C',
  origin: 'O',
  relation: 'R',
  type: 'Y',
  insert: 'I',
  update: 'U',
  delete: 'D',
  truncate: 'T',
  message: 'M',
  streamStart: 'S',
  streamStop: 'E',
  streamCommit: 'c',
  streamAbort: 'A',
  beginPrepare: 'b',
  prepare: 'P',
  commitPrepared: 'K',
  rollbackPrepared: 'r',
  streamPrepare: 'p',
}

export function encode(message: PgoutputMessage): Buffer {
  const out: Buffer[] = [Buffer.from(tags[message.tag])]
  const byte = (value: number) => out.push(Buffer.from([value]))
  const int16 = (value: number) => out.push(Buffer.from([value >> 8, value & 255]))
  const int32 = (value: number) => {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(value >>> 0)
    out.push(bytes)
  }
  const int64 = (value: bigint) => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64BE(BigInt.asUintN(64, value))
    out.push(bytes)
  }
  const text = (value: string) => out.push(Buffer.from(`${value}\0`))
  const tuple = (letter: string, value: Tuple) => {
    out.push(Buffer.from(letter))
    int16(value.lengths.length)
    for (const cell of cellsOf(value)) {
      if (cell === null) out.push(Buffer.from('n'))
      else if (cell === 'unchanged') out.push(Buffer.from('u'))
      else {
        const bytes = 'text' in cell ? cell.text : cell.binary
        out.push(Buffer.from('text' in cell ? 't' : 'b'))
        int32(bytes.length)
        out.push(bytes)
      }
    }
  }
  const old = (value: OldTuple) => tuple(value.kind === 'key' ? 'K' : 'O', value.tuple)
  if ('xid' in message && 'relation' in message && message.xid !== null) int32(message.xid)
  switch (message.tag) {
    case 'begin':
      int64(message.finalLsn)
      int64(message.commitTime)
      int32(message.xid)
      break
    case 'commit':
      byte(0)
      int64(message.commitLsn)
      int64(message.endLsn)
      int64(message.commitTime)
      break
    case 'origin':
      int64(message.originLsn)
      text(message.name)
      break
    case 'relation':
      relation(message.relation)
      break
    case 'type':
      if (message.xid !== null) int32(message.xid)
      int32(message.oid)
      text(message.schema)
      text(message.name)
      break
    case 'insert':
      int32(message.relation.oid)
      tuple('N', message.after)
      break
    case 'update':
      int32(message.relation.oid)
      if (message.before) old(message.before)
      tuple('N', message.after)
      break
    case 'delete':
      int32(message.relation.oid)
      old(message.before)
      break
    case 'truncate':
      if (message.xid !== null) int32(message.xid)
      int32(message.relations.length)
      byte((message.cascade ? 1 : 0) | (message.restartIdentity ? 2 : 0))
      for (const each of message.relations) int32(each.oid)
      break
    case 'message':
      if (message.xid !== null) int32(message.xid)
      byte(message.transactional ? 1 : 0)
      int64(message.lsn)
      text(message.prefix)
      int32(message.content.length)
      out.push(message.content)
      break
    case 'streamStart':
      int32(message.xid)
      byte(message.firstSegment ? 1 : 0)
      break
    case 'streamStop':
      break
    case 'streamCommit':
      int32(message.xid)
      byte(0)
      int64(message.commitLsn)
      int64(message.endLsn)
      int64(message.commitTime)
      break
    case 'streamAbort':
      int32(message.xid)
      int32(message.subXid)
      if (message.abortLsn !== null) {
        int64(message.abortLsn)
        int64(message.abortTime!)
      }
      break
    case 'beginPrepare':
    case 'prepare':
    case 'streamPrepare':
      if (message.tag !== 'beginPrepare') byte(0)
      int64(message.prepareLsn)
      int64(message.endLsn)
      int64(message.prepareTime)
      int32(message.xid)
      text(message.gid)
      break
    case 'commitPrepared':
      byte(0)
      int64(message.commitLsn)
      int64(message.endLsn)
      int64(message.commitTime)
      int32(message.xid)
      text(message.gid)
      break
    case 'rollbackPrepared':
      byte(0)
      int64(message.prepareEndLsn)
      int64(message.rollbackEndLsn)
      int64(message.prepareTime)
      int64(message.rollbackTime)
      int32(message.xid)
      text(message.gid)
      break
  }
  return Buffer.concat(out)

  function relation({ oid, schema, name, replicaIdentity, columns }: Relation) {
    int32(oid)
    text(schema)
    text(name)
    out.push(Buffer.from({ default: 'd', nothing: 'n', full: 'f', index: 'i' }[replicaIdentity]))
    int16(columns.length)
    for (const column of columns) {
      byte(column.key ? 1 : 0)
      text(column.name)
      int32(column.typeOid)
      int32(column.typeModifier)
    }
  }
}
