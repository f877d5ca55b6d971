import { isUtf8 } from 'node:buffer'
import { fail } from '@crossfade/model/failure.ts'
import { asLsn, type Lsn } from '@crossfade/model/lsn.ts'
import {
  nullCell,
  type OldTuple,
  type PgoutputMessage,
  type Relation,
  type RelationColumn,
  type Tuple,
  unchangedCell,
} from './message.ts'

const identities = new Map([
  [0x64, 'default'],
  [0x6e, 'nothing'],
  [0x66, 'full'],
  [0x69, 'index'],
] as const)

/**
 * Reads pgoutput messages, protocol versions 1 to 4. One decoder per replication session: it remembers the tables that the stream described,
 * and whether a streamed segment is open. Every input gives a message or throws CF3010; it keeps no reference to the input but in tuples.
 *
 * A streamed transaction may describe a table in a shape that nobody else sees until it commits. So what it describes is kept apart until then, just
 * as the server remembers for each streamed transaction what it sent.
 */
export class PgoutputDecoder {
  readonly #relations: Map<number, Relation>
  readonly #streamed = new Map<number, Map<number, Relation>>()
  #streamXid: number | null = null
  #streamRelations: Map<number, Relation> | null = null
  /** Where the tuple that was read last ended. */
  #tupleEnd = 0

  /** `relations` are the tables that the stream has described before. */
  constructor(relations: Iterable<Relation> = []) {
    this.#relations = new Map(Array.from(relations, (relation) => [relation.oid, relation]))
  }

  /** The transaction whose streamed segment is open. */
  get streamXid(): number | null {
    return this.#streamXid
  }

  /** The tables as messages at this place of the stream see them. */
  relations(): Relation[] {
    return [...new Map([...this.#relations, ...(this.#streamRelations ?? [])]).values()]
  }

  /** Reads the message that lies in `bytes` from `start` to `end`. Tuples point into `bytes`, which must not be reused. */
  decode(bytes: Buffer, start = 0, end = bytes.length): PgoutputMessage {
    if (start >= end) throw malformed('it is empty', start, start)
    const tag = bytes[start]!
    const streaming = this.#streamXid !== null
    switch (tag) {
      case 0x49: // I
      case 0x55: // U
      case 0x44: // D
        return this.#row(tag, bytes, start, end, streaming)
      default:
        return this.#rare(tag, new Reader(bytes, start, end), streaming)
    }
  }

  #row(tag: number, bytes: Buffer, start: number, end: number, streaming: boolean): PgoutputMessage {
    const body = start + (streaming ? 5 : 1)
    // Table, kind of the first tuple.
    if (body + 5 > end) throw malformed('it ends early', start, end)
    const xid = streaming ? uint32(bytes, start + 1) : null
    const relation = this.#relation(uint32(bytes, body), start)
    const kind = bytes[body + 4]!
    const first = this.#tuple(bytes, start, body + 5, end, relation)
    let message: PgoutputMessage
    if (tag === 0x49) {
      if (kind !== 0x4e) throw malformed(`an insert has a tuple of kind ${kind}`, start, body + 4)
      message = { tag: 'insert', xid, relation, after: first }
    } else if (tag === 0x44) {
      message = { tag: 'delete', xid, relation, before: oldTuple(kind, first, start, body + 4) }
    } else if (kind === 0x4e) {
      message = { tag: 'update', xid, relation, before: null, after: first }
    } else {
      const before = oldTuple(kind, first, start, body + 4)
      const second = this.#tupleEnd
      if (second >= end || bytes[second] !== 0x4e) throw malformed('an update has no new tuple', start, second)
      message = { tag: 'update', xid, relation, before, after: this.#tuple(bytes, start, second + 1, end, relation) }
    }
    if (this.#tupleEnd !== end) throw malformed('bytes are left over', start, this.#tupleEnd)
    return message
  }

  #tuple(bytes: Buffer, start: number, from: number, end: number, relation: Relation): Tuple {
    if (from + 2 > end) throw malformed('it ends early', start, end)
    const count = (bytes[from]! << 8) | bytes[from + 1]!
    if (count !== relation.columns.length) {
      throw malformed(`a tuple has ${count} cells and its table ${relation.columns.length} columns`, start, from)
    }
    const starts = new Array<number>(count)
    const lengths = new Array<number>(count)
    let position = from + 2
    let texts = 0
    let binaries = 0
    for (let i = 0; i < count; i++) {
      if (position >= end) throw malformed('it ends early', start, end)
      const kind = bytes[position++]!
      if (kind === 0x74 || kind === 0x62) {
        if (position + 4 > end) throw malformed('it ends early', start, end)
        const length = uint32(bytes, position)
        position += 4
        if (length > end - position) throw malformed('a cell is longer than its message', start, position - 4)
        starts[i] = position
        lengths[i] = length
        position += length
        if (kind === 0x74) texts++
        else binaries++
      } else if (kind === 0x6e) {
        starts[i] = position
        lengths[i] = nullCell
      } else if (kind === 0x75) {
        starts[i] = position
        lengths[i] = unchangedCell
      } else {
        throw malformed(`a cell is of kind ${kind}`, start, position - 1)
      }
    }
    this.#tupleEnd = position
    return { bytes, starts, lengths, binary: formats(bytes, starts, lengths, texts, binaries) }
  }

  #rare(tag: number, reader: Reader, streaming: boolean): PgoutputMessage {
    const message = this.#read(tag, reader, streaming)
    reader.finish()
    this.#remember(message)
    return message
  }

  #read(tag: number, reader: Reader, streaming: boolean): PgoutputMessage {
    switch (tag) {
      case 0x42: // B
        return { tag: 'begin', finalLsn: reader.lsn(), commitTime: reader.time(), xid: reader.uint32() }
      case 0x43: // C
        reader.zero()
        return { tag: 'commit', commitLsn: reader.lsn(), endLsn: reader.lsn(), commitTime: reader.time() }
      case 0x4f: // O
        return { tag: 'origin', originLsn: reader.lsn(), name: reader.string() }
      case 0x52: // R
        return { tag: 'relation', xid: streaming ? reader.uint32() : null, relation: readRelation(reader) }
      case 0x59: // Y
        return {
          tag: 'type',
          xid: streaming ? reader.uint32() : null,
          oid: reader.uint32(),
          schema: reader.string() || 'pg_catalog',
          name: reader.string(),
        }
      case 0x54: // T
        return this.#truncate(reader, streaming)
      case 0x4d: // M
        return {
          tag: 'message',
          xid: streaming ? reader.uint32() : null,
          transactional: reader.flags(1) === 1,
          lsn: reader.lsn(),
          prefix: reader.string(),
          content: reader.sized(),
        }
      case 0x53: // S
        if (streaming) throw reader.malformed('a streamed segment starts inside another')
        return { tag: 'streamStart', xid: reader.uint32(), firstSegment: reader.flags(1) === 1 }
      case 0x45: // E
        if (!streaming) throw reader.malformed('a streamed segment stops that never started')
        return { tag: 'streamStop' }
      case 0x63: {
        const xid = reader.uint32()
        reader.zero()
        return { tag: 'streamCommit', xid, commitLsn: reader.lsn(), endLsn: reader.lsn(), commitTime: reader.time() }
      }
      case 0x41: {
        // Place and time are sent by protocol 4 with `streaming 'parallel'` alone.
        const xid = reader.uint32()
        const subXid = reader.uint32()
        if (reader.left === 0) return { tag: 'streamAbort', xid, subXid, abortLsn: null, abortTime: null }
        return { tag: 'streamAbort', xid, subXid, abortLsn: reader.lsn(), abortTime: reader.time() }
      }
      case 0x62: // b
        return readPrepare('beginPrepare', reader)
      case 0x50: // P
        reader.zero()
        return readPrepare('prepare', reader)
      case 0x70: // p
        reader.zero()
        return readPrepare('streamPrepare', reader)
      case 0x4b: // K
        reader.zero()
        return {
          tag: 'commitPrepared',
          commitLsn: reader.lsn(),
          endLsn: reader.lsn(),
          commitTime: reader.time(),
          xid: reader.uint32(),
          gid: reader.string(),
        }
      case 0x72: // r
        reader.zero()
        return {
          tag: 'rollbackPrepared',
          prepareEndLsn: reader.lsn(),
          rollbackEndLsn: reader.lsn(),
          prepareTime: reader.time(),
          rollbackTime: reader.time(),
          xid: reader.uint32(),
          gid: reader.string(),
        }
      default:
        throw reader.malformed(`its kind ${tag} is unknown`)
    }
  }

  #truncate(reader: Reader, streaming: boolean): PgoutputMessage {
    const xid = streaming ? reader.uint32() : null
    const count = reader.uint32()
    const flags = reader.flags(3)
    if (reader.left !== count * 4)
      throw reader.malformed(`it names ${count} tables and has ${reader.left} bytes for them`)
    const relations: Relation[] = []
    for (let i = 0; i < count; i++) relations.push(this.#relation(reader.uint32(), reader.start))
    return { tag: 'truncate', xid, relations, cascade: (flags & 1) !== 0, restartIdentity: (flags & 2) !== 0 }
  }

  #relation(oid: number, start: number): Relation {
    const relation = this.#streamRelations?.get(oid) ?? this.#relations.get(oid)
    if (relation === undefined) throw malformed(`table ${oid} was never described`, start, start)
    return relation
  }

  #remember(message: PgoutputMessage): void {
    switch (message.tag) {
      case 'relation':
        ;(this.#streamRelations ?? this.#relations).set(message.relation.oid, message.relation)
        break
      case 'streamStart': {
        let relations = this.#streamed.get(message.xid)
        if (relations === undefined) {
          relations = new Map()
          this.#streamed.set(message.xid, relations)
        }
        this.#streamXid = message.xid
        this.#streamRelations = relations
        break
      }
      case 'streamStop':
        this.#streamXid = null
        this.#streamRelations = null
        break
      case 'streamCommit':
        for (const relation of this.#streamed.get(message.xid)?.values() ?? [])
          this.#relations.set(relation.oid, relation)
        this.#streamed.delete(message.xid)
        break
      case 'streamAbort':
        if (message.xid === message.subXid) this.#streamed.delete(message.xid)
        break
      case 'streamPrepare':
        this.#streamed.delete(message.xid)
        break
    }
  }
}

function readRelation(reader: Reader): Relation {
  const oid = reader.uint32()
  const schema = reader.string() || 'pg_catalog'
  const name = reader.string()
  const letter = reader.byte()
  const replicaIdentity = identities.get(letter as 0x64)
  if (replicaIdentity === undefined) throw reader.malformed(`its replica identity ${letter} is unknown`)
  const count = reader.uint16()
  const columns: RelationColumn[] = []
  for (let i = 0; i < count; i++) {
    const key = reader.flags(1) === 1
    columns.push({ name: reader.string(), typeOid: reader.uint32(), typeModifier: reader.int32(), key })
  }
  return { oid, schema, name, replicaIdentity, columns }
}

function readPrepare<T extends 'beginPrepare' | 'prepare' | 'streamPrepare'>(tag: T, reader: Reader) {
  return {
    tag,
    prepareLsn: reader.lsn(),
    endLsn: reader.lsn(),
    prepareTime: reader.time(),
    xid: reader.uint32(),
    gid: reader.string(),
  }
}

function oldTuple(kind: number, tuple: Tuple, start: number, at: number): OldTuple {
  if (kind === 0x4b) return { kind: 'key', tuple }
  if (kind === 0x4f) return { kind: 'full', tuple }
  throw malformed(`an old tuple is of kind ${kind}`, start, at)
}

/** Nearly always all cells of a row have one format, so rows share these. */
const uniformFormats: [Uint8Array[], Uint8Array[]] = [[], []]

function formats(
  bytes: Buffer,
  starts: readonly number[],
  lengths: readonly number[],
  texts: number,
  binaries: number,
): Uint8Array {
  const count = starts.length
  if (texts === 0 || binaries === 0) {
    const format = binaries === 0 ? 0 : 1
    const shared = uniformFormats[format]
    shared[count] ??= new Uint8Array(count).fill(format)
    return shared[count]
  }
  const mixed = new Uint8Array(count)
  for (let i = 0; i < count; i++) if (lengths[i]! >= 0 && bytes[starts[i]! - 5] === 0x62) mixed[i] = 1
  return mixed
}

function uint32(bytes: Buffer, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}

function malformed(reason: string, start: number, at: number): Error {
  return fail('CF3010', { reason, offset: at - start })
}

/** Walks over one message and never past its end. */
class Reader {
  readonly #bytes: Buffer
  readonly start: number
  readonly #end: number
  #position: number

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes
    this.start = start
    this.#end = end
    this.#position = start + 1
  }

  get left(): number {
    return this.#end - this.#position
  }

  byte(): number {
    return this.#bytes[this.#take(1)]!
  }

  uint16(): number {
    return this.#bytes.readUInt16BE(this.#take(2))
  }

  uint32(): number {
    return this.#bytes.readUInt32BE(this.#take(4))
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#take(4))
  }

  lsn(): Lsn {
    return asLsn(this.#bytes.readBigUInt64BE(this.#take(8)))
  }

  time(): bigint {
    return this.#bytes.readBigInt64BE(this.#take(8))
  }

  /** One byte in which only the bits of `known` may be set. */
  flags(known: number): number {
    const flags = this.byte()
    if ((flags & ~known) !== 0) throw this.malformed(`its flags ${flags} are unknown`)
    return flags
  }

  zero(): void {
    this.flags(0)
  }

  string(): string {
    const from = this.#position
    const to = this.#bytes.indexOf(0, from)
    if (to < 0 || to >= this.#end) throw this.malformed('a name does not end')
    const text = this.#bytes.subarray(from, to)
    if (!isUtf8(text)) throw this.malformed('a name is not UTF-8')
    this.#position = to + 1
    return text.toString('utf8')
  }

  /** Bytes after their number. */
  sized(): Buffer {
    const length = this.uint32()
    const from = this.#take(length)
    return this.#bytes.subarray(from, from + length)
  }

  finish(): void {
    if (this.left !== 0) throw this.malformed('bytes are left over')
  }

  malformed(reason: string): Error {
    return malformed(reason, this.start, this.#position)
  }

  #take(count: number): number {
    const from = this.#position
    if (count > this.#end - from) throw this.malformed('it ends early')
    this.#position = from + count
    return from
  }
}
