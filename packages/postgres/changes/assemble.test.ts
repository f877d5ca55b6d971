import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Failure } from '@crossfade/model/failure.ts'
import { asMigrationId } from '@crossfade/model/ids.ts'
import { asLsn, type Lsn } from '@crossfade/model/lsn.ts'
import { testSeed } from '@crossfade/model/testing/test-seed.ts'
import fc from 'fast-check'
import { type AssemblerOptions, appliedMark, TransactionAssembler } from './assemble.ts'
import { cellsOf, encode, tupleOf } from './encoder-testing.ts'
import type { PgoutputMessage, Relation } from './message.ts'
import type { StreamEvent } from './transaction.ts'

const seed = testSeed()
const numRuns = Number(process.env['CROSSFADE_RUNS'] ?? 70)
const migration = asMigrationId('mig_0123456789ab')

const table: Relation = {
  oid: 7,
  schema: 'public',
  name: 't',
  replicaIdentity: 'default',
  columns: [
    { name: 'id', typeOid: 23, typeModifier: -1, key: true },
    { name: 'x', typeOid: 1043, typeModifier: 24, key: false },
  ],
}

/** An assembler with what a test feeds to it and takes from it. */
class Harness {
  readonly assembler: TransactionAssembler
  readonly events: StreamEvent[] = []

  constructor(options: Partial<AssemblerOptions> = {}) {
    this.assembler = new TransactionAssembler({
      migration,
      tables: [{ schema: 'public', name: 't', columns: null }],
      ...options,
    })
  }

  feed(...messages: PgoutputMessage[]): this {
    for (const message of messages) {
      const bytes = encode(message)
      this.assembler.accept(bytes, 0, bytes.length)
      this.#take()
    }
    return this
  }

  keepalive(lsn: bigint): this {
    this.assembler.keepalive(asLsn(lsn))
    return this.endOfBlock()
  }

  endOfBlock(): this {
    this.assembler.endOfBlock()
    this.#take()
    return this
  }

  #take(): void {
    for (let event = this.assembler.take(); event !== undefined; event = this.assembler.take()) this.events.push(event)
  }

  /** `LSN+offset:ids` for a piece, `!` when it ends its transaction. */
  get summary(): string[] {
    return this.events.map((event): string => {
      switch (event.kind) {
        case 'piece':
          return `${event.piece.commitLsn}+${event.piece.offset}:${event.piece.rows.map(idOf).join(',')}${event.piece.end ? '!' : ''}`
        case 'position':
          return `at ${event.lsn}`
        case 'message':
          return `message ${event.prefix}`
        default:
          return `${event.schema}.${event.name} (${event.before.join(', ')}) -> (${event.after.join(', ')})`
      }
    })
  }
}

const relation = (of: Relation = table, xid: number | null = null): PgoutputMessage => ({
  tag: 'relation',
  xid,
  relation: of,
})
const insert = (id: number, xid: number | null = null, of: Relation = table): PgoutputMessage => ({
  tag: 'insert',
  xid,
  relation: of,
  after: tupleOf(of.columns.map((_, i) => (i === 0 ? { text: Buffer.from(String(id)) } : null))),
})
const begin = (lsn: number): PgoutputMessage => ({
  tag: 'begin',
  finalLsn: asLsn(BigInt(lsn)),
  commitTime: 1_000_000n,
  xid: lsn,
})
const commit = (lsn: number): PgoutputMessage => ({
  tag: 'commit',
  commitLsn: asLsn(BigInt(lsn)),
  endLsn: asLsn(BigInt(lsn + 5)),
  commitTime: 1_000_000n,
})
const streamCommit = (xid: number, lsn: number): PgoutputMessage => ({
  tag: 'streamCommit',
  xid,
  commitLsn: asLsn(BigInt(lsn)),
  endLsn: asLsn(BigInt(lsn + 5)),
  commitTime: 1_000_000n,
})
const streamStart = (xid: number, firstSegment = true): PgoutputMessage => ({ tag: 'streamStart', xid, firstSegment })
const streamStop: PgoutputMessage = { tag: 'streamStop' }
const streamAbort = (xid: number, subXid: number): PgoutputMessage => ({
  tag: 'streamAbort',
  xid,
  subXid,
  abortLsn: null,
  abortTime: null,
})
const message = (
  prefix: string,
  content: string,
  xid: number | null = null,
  transactional = true,
): PgoutputMessage => ({
  tag: 'message',
  xid,
  transactional,
  lsn: asLsn(1n),
  prefix,
  content: Buffer.from(content),
})
const mark = (xid: number | null = null) => message(appliedMark, migration, xid)
const prepared = (
  tag: 'beginPrepare' | 'prepare' | 'streamPrepare',
  gid: string,
  lsn: number,
  xid = lsn,
): PgoutputMessage => ({
  tag,
  prepareLsn: asLsn(BigInt(lsn)),
  endLsn: asLsn(BigInt(lsn + 5)),
  prepareTime: 0n,
  xid,
  gid,
})
const commitPrepared = (gid: string, lsn: number): PgoutputMessage => ({
  tag: 'commitPrepared',
  commitLsn: asLsn(BigInt(lsn)),
  endLsn: asLsn(BigInt(lsn + 5)),
  commitTime: 1_000_000n,
  xid: 1,
  gid,
})
const rollbackPrepared = (gid: string, lsn: number): PgoutputMessage => ({
  tag: 'rollbackPrepared',
  prepareEndLsn: asLsn(BigInt(lsn)),
  rollbackEndLsn: asLsn(BigInt(lsn + 5)),
  prepareTime: 0n,
  rollbackTime: 0n,
  xid: 1,
  gid,
})

function idOf(row: PgoutputMessage): string {
  if (row.tag === 'truncate') return 'truncate'
  assert.ok(row.tag === 'insert')
  const cell = cellsOf(row.after)[0]
  assert.ok(cell && cell !== 'unchanged' && 'text' in cell)
  return cell.text.toString()
}

test('a transaction is one piece, and its end is the position', () => {
  const harness = new Harness().feed(begin(100), relation(), insert(1), insert(2), commit(100)).endOfBlock()
  assert.deepEqual(harness.summary, ['101+0:1,2!', 'at 105'])
  const [first] = harness.events
  assert.ok(first?.kind === 'piece')
  assert.equal(first.piece.committedAtMs, 946_684_801_000)
  assert.equal(first.piece.xid, 100)
})

test('a large transaction is cut by rows and by bytes, and only its last piece ends it', () => {
  const rows = [1, 2, 3, 4, 5].map((id) => insert(id))
  const byRows = new Harness({ limits: { pieceRowsMax: 2 } }).feed(begin(100), relation(), ...rows, commit(100))
  assert.deepEqual(byRows.summary, ['101+0:1,2', '101+2:3,4', '101+4:5!'])
  const bytes = encode(rows[0]!).length
  const byBytes = new Harness({ limits: { pieceBytesMax: bytes * 3 } }).feed(
    begin(100),
    relation(),
    ...rows,
    commit(100),
  )
  assert.deepEqual(byBytes.summary, ['101+0:1,2,3', '101+3:4,5!'])
  const tiny = new Harness({ limits: { pieceBytesMax: 1 } }).feed(begin(100), relation(), ...rows, commit(100))
  assert.deepEqual(tiny.summary, ['101+0:1', '101+1:2', '101+2:3', '101+3:4', '101+4:5!'])
  const exact = new Harness({ limits: { pieceRowsMax: 5 } }).feed(begin(100), relation(), ...rows, commit(100))
  assert.deepEqual(exact.summary, ['101+0:1,2,3,4,5!'])
})

test("what this migration's applier wrote is dropped, what another's wrote is not, and the position goes on", () => {
  const harness = new Harness()
    .feed(begin(100), mark(), relation(), insert(1), commit(100))
    .endOfBlock()
    .feed(begin(200), message(appliedMark, 'mig_another'), insert(2), commit(200))
    .feed(begin(300), relation(), insert(3), mark(), insert(4), commit(300))
    .endOfBlock()
  assert.deepEqual(harness.summary, ['at 105', 'message crossfade.applied', '201+0:2!', 'at 305'])
  const late = new Harness({ limits: { pieceRowsMax: 1 } }).feed(begin(100), relation(), insert(1), insert(2))
  assertCode('CF3018', () => late.feed(mark()))
})

test('D04: keepalives move the position on an idle source, never in the middle of a transaction', () => {
  const harness = new Harness()
    .keepalive(50n)
    .keepalive(50n)
    .feed(begin(100), relation(), insert(1))
    .keepalive(90n)
    .feed(commit(100))
    .keepalive(103n)
    .keepalive(150n)
    .feed(streamStart(9), relation(table, 9), insert(2, 9))
    .keepalive(200n)
    .feed(streamStop)
    .keepalive(200n)
  assert.deepEqual(harness.summary, ['at 50', '101+0:1!', 'at 105', 'at 150', 'at 200'])
})

test('empty transactions only move the position', () => {
  const harness = new Harness().feed(begin(100), commit(100), begin(200), relation(), commit(200)).endOfBlock()
  assert.deepEqual(harness.summary, ['at 205'])
})

test('messages keep their place among the rows', () => {
  const harness = new Harness().feed(
    begin(100),
    relation(),
    insert(1),
    message('a', 'x'),
    insert(2),
    message('b', 'y'),
    commit(100),
  )
  assert.deepEqual(harness.summary, ['101+0:1', 'message a', '101+1:2', 'message b', '101+2:!'])
  assert.deepEqual(new Harness().feed(begin(100), message('a', ''), commit(100)).summary, ['message a'])
  assert.deepEqual(new Harness().feed(message('a', '', null, false)).summary, ['message a'])
})

test('a table that changes its shape is told, before the first row that has it', () => {
  const retyped = { ...table, columns: [table.columns[0]!, { ...table.columns[1]!, typeOid: 25, typeModifier: -1 }] }
  const added = {
    ...retyped,
    columns: [...retyped.columns, { name: 'y', typeOid: 1700, typeModifier: 786_438, key: false }],
  }
  const harness = new Harness()
    .feed(begin(100), relation(), insert(1), relation(), insert(2), commit(100))
    .feed(begin(200), insert(3), relation(retyped), insert(4), relation(added), insert(5, null, added), commit(200))
    .feed(begin(300), relation({ ...added, name: 'elsewhere' }), commit(300))
    .feed(begin(400), relation({ ...table, oid: 8, name: 'not in the plan' }), commit(400))
  assert.deepEqual(harness.summary, [
    '101+0:1,2!',
    '201+0:3',
    'public.t (id int4 key, x varchar(20)) -> (id int4 key, x text)',
    '201+1:4',
    'public.t (id int4 key, x text) -> (id int4 key, x text, y numeric(12,2))',
    '201+2:5!',
    'public.t (id int4 key, x text, y numeric(12,2)) -> ()',
  ])
})

test('a shape that differs from the plan from the start is told', () => {
  const columns = (...names: string[]) => [
    { schema: 'public', name: 't', columns: names.map((name) => ({ name, typeOid: name === 'id' ? 23 : null })) },
  ]
  const summary = (tables: AssemblerOptions['tables']) =>
    new Harness({ tables }).feed(begin(100), relation(), commit(100)).summary
  assert.deepEqual(summary(columns('id', 'x')), [])
  assert.deepEqual(summary(columns('x', 'id')), [])
  assert.deepEqual(summary(columns('id')), ['public.t (id int4) -> (id int4 key, x varchar(20))'])
  assert.deepEqual(summary(columns('id', 'z')), ['public.t (id int4, z) -> (id int4 key, x varchar(20))'])
  const retyped = [
    {
      schema: 'public',
      name: 't',
      columns: [
        { name: 'id', typeOid: 20 },
        { name: 'x', typeOid: null },
      ],
    },
  ]
  assert.deepEqual(summary(retyped), ['public.t (id int8, x) -> (id int4 key, x varchar(20))'])
})

test('streamed transactions come at their commit, without aborted sub-transactions', () => {
  const harness = new Harness()
    .feed(streamStart(10), relation(table, 10), insert(1, 10), insert(2, 11), streamStop)
    .feed(streamStart(20), relation(table, 20), insert(3, 20), streamStop)
    .feed(streamAbort(10, 11))
    .feed(streamStart(10, false), insert(4, 12), insert(5, 10), streamStop)
    .feed(begin(50), relation(), insert(6), commit(50))
    .feed(streamCommit(20, 100), streamAbort(10, 12), streamCommit(10, 200))
    .endOfBlock()
  assert.deepEqual(harness.summary, ['51+0:6!', '101+0:3!', '201+0:1,5!', 'at 205'])
})

test('streamed transactions that abort, or that an applier wrote, leave nothing', () => {
  const harness = new Harness()
    .feed(streamStart(10), relation(table, 10), insert(1, 10), streamStop, streamAbort(10, 10))
    .feed(streamStart(20), mark(20), relation(table, 20), insert(3, 20), streamStop, streamCommit(20, 100))
    .feed(streamAbort(99, 99))
    .endOfBlock()
  assert.deepEqual(harness.summary, ['at 105'])
})

test('prepared transactions are held until their fate is known, and the source is not acknowledged past them', () => {
  const harness = new Harness()
  harness.feed(prepared('beginPrepare', 'one', 100), relation(), insert(1), prepared('prepare', 'one', 100))
  harness.feed(begin(150), insert(2), commit(150))
  harness.feed(streamStart(7), relation(table, 7), insert(3, 7), streamStop, prepared('streamPrepare', 'two', 160, 7))
  harness.feed(prepared('beginPrepare', 'three', 170), insert(4), prepared('prepare', 'three', 170))
  harness.keepalive(180n)
  assert.equal(harness.assembler.acknowledgeMax, 100n)
  harness.feed(commitPrepared('one', 200))
  assert.equal(harness.assembler.acknowledgeMax, 160n)
  harness.feed(rollbackPrepared('three', 300), commitPrepared('two', 400)).endOfBlock()
  assert.equal(harness.assembler.acknowledgeMax, null)
  assert.deepEqual(harness.summary, ['151+0:2!', 'at 180', '201+0:1!', '401+0:3!', 'at 405'])
})

test('messages out of order give CF3018', () => {
  const disorders: PgoutputMessage[][] = [
    [relation(), insert(1)],
    [begin(1), begin(2)],
    [commit(1)],
    [begin(1), commit(2)],
    [begin(1), streamStart(3)],
    [streamStart(3), begin(1)],
    [streamStart(3, false)],
    [streamCommit(3, 1)],
    [commitPrepared('x', 1)],
    [prepared('prepare', 'x', 1)],
    [prepared('beginPrepare', 'x', 1), prepared('prepare', 'y', 1)],
    [prepared('streamPrepare', 'x', 1, 3)],
    [message('m', '')],
  ]
  for (const messages of disorders) assertCode('CF3018', () => new Harness().feed(...messages))
})

test('a spool over its limit fails with CF3019, and no file is ever visible', () => {
  const directory = mkdtempSync(join(tmpdir(), 'crossfade-spool-'))
  try {
    const harness = new Harness({ openTransactions: { memoryBytesMax: 0, diskBytesMax: 100, directory } })
    assertCode('CF3019', () =>
      harness.feed(streamStart(1), relation(table, 1), ...Array.from({ length: 10 }, (_, i) => insert(i, 1))),
    )
    assert.deepEqual(readdirSync(directory), [])
    harness.assembler.close()
    assertCode('CF3019', () =>
      new Harness({ openTransactions: { memoryBytesMax: 0, directory: join(directory, 'missing') } }).feed(
        streamStart(1),
        relation(table, 1),
      ),
    )
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('a spool of many blocks, and one with a row larger than a block, are read back whole', () => {
  const sizes = [...Array.from({ length: 300 }, (_, i) => 10_000 + i), 3_000_000, 5, 2_000_000]
  const rows = sizes.map((size, i): PgoutputMessage => {
    const after = tupleOf([{ text: Buffer.from(String(i)) }, { text: Buffer.alloc(size, i) }])
    return { tag: 'insert', xid: 1, relation: table, after }
  })
  const harness = new Harness({ openTransactions: { memoryBytesMax: 1_000_000 }, limits: { pieceBytesMax: 500_000 } })
  harness.feed(streamStart(1), relation(table, 1), ...rows, streamStop, streamCommit(1, 100))
  const read = harness.events.flatMap((event) => (event.kind === 'piece' ? event.piece.rows : []))
  assert.equal(read.length, sizes.length)
  read.forEach((row, i) => {
    assert.equal(idOf(row), String(i))
    assert.ok(row.tag === 'insert')
    const cell = cellsOf(row.after)[1]
    assert.ok(cell && cell !== 'unchanged' && 'text' in cell && cell.text.equals(Buffer.alloc(sizes[i]!, i)))
  })
})

interface Transaction {
  readonly kind: 'plain' | 'streamed' | 'prepared' | 'streamPrepared'
  readonly commits: boolean
  readonly marked: boolean
  /** Rows, each in a sub-transaction (0: the transaction itself), and how many wide the row is made. */
  readonly rows: readonly { readonly sub: number; readonly width: number }[]
  readonly abortedSubs: readonly number[]
  /** Where the streamed segments lie: how many transactions before its end. */
  readonly segments: readonly number[]
}

const transaction: fc.Arbitrary<Transaction> = fc.record({
  kind: fc.constantFrom('plain', 'streamed', 'prepared', 'streamPrepared'),
  commits: fc.boolean(),
  marked: fc.boolean(),
  rows: fc.array(fc.record({ sub: fc.nat({ max: 3 }), width: fc.nat({ max: 2_000 }) }), { maxLength: 20 }),
  abortedSubs: fc.uniqueArray(fc.integer({ min: 1, max: 3 })),
  segments: fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 4 }),
})

test(`any interleaving gives the committed rows in commit order, memory or disk alike (seed ${seed})`, () => {
  const limits = fc.record({
    pieceRowsMax: fc.integer({ min: 1, max: 7 }),
    memoryBytesMax: fc.constantFrom(0, 300_000, 100_000_000),
  })
  const property = fc.property(
    fc.array(transaction, { maxLength: 12 }),
    limits,
    (transactions, { pieceRowsMax, memoryBytesMax }) => {
      const harness = new Harness({ limits: { pieceRowsMax }, openTransactions: { memoryBytesMax } })
      const { timeline, expected } = play(transactions)
      for (const messages of timeline) {
        harness.feed(...messages)
        harness.endOfBlock()
      }
      const rows = new Map<Lsn, string[]>()
      let position = 0n
      for (const event of harness.events) {
        if (event.kind === 'position') {
          assert.ok(event.lsn > position, 'positions grow')
          position = event.lsn
        }
        if (event.kind !== 'piece') continue
        const { commitLsn, offset, end } = event.piece
        assert.ok(commitLsn > position, 'a piece lies after every position before it')
        const before = rows.get(commitLsn) ?? []
        assert.equal(offset, before.length)
        assert.ok(event.piece.rows.length > 0 && event.piece.rows.length <= pieceRowsMax)
        rows.set(commitLsn, [...before, ...event.piece.rows.map(idOf)])
        assert.equal(end, rows.get(commitLsn)!.length === expected.get(commitLsn)?.length)
      }
      assert.deepEqual([...rows], [...expected])
      harness.assembler.close()
    },
  )
  fc.assert(property, { seed, numRuns })
})

/** The messages a server would send, in blocks, and what must come of them: ids by commit position, in commit order. */
function play(transactions: readonly Transaction[]): { timeline: PgoutputMessage[][]; expected: Map<Lsn, string[]> } {
  const timeline: PgoutputMessage[][] = transactions.map(() => [])
  const expected = new Map<Lsn, string[]>()
  const opened = new Map<number, boolean>()
  transactions.forEach((each, index) => {
    const xid = (index + 1) * 100
    const lsn = (index + 1) * 1_000
    const id = (i: number) => xid * 100 + i
    const streamed = each.kind === 'streamed' || each.kind === 'streamPrepared'
    const wide = (i: number, sub: number | null) => {
      const text = Buffer.alloc(each.rows[i]!.width, 0x78)
      const row = insert(id(i), sub)
      return row.tag === 'insert' ? { ...row, after: tupleOf([{ text: Buffer.from(String(id(i))) }, { text }]) } : row
    }
    const kept = each.rows.flatMap(({ sub }, i) => (streamed && each.abortedSubs.includes(sub) ? [] : [String(id(i))]))
    if (each.commits && !each.marked && kept.length > 0) expected.set(asLsn(BigInt(lsn + 1)), kept)
    const own: PgoutputMessage[] = each.marked
      ? [mark(streamed ? xid : null), relation(table, streamed ? xid : null)]
      : [relation(table, streamed ? xid : null)]
    const body = each.rows.map(({ sub }, i) => wide(i, streamed ? xid + sub : null))
    if (each.kind === 'plain') {
      if (each.commits) timeline[index]!.push(begin(lsn), ...own, ...body, commit(lsn))
      return
    }
    const gid = `transaction ${index}`
    if (each.kind === 'prepared') {
      timeline[index]!.push(
        prepared('beginPrepare', gid, lsn - 100),
        ...own,
        ...body,
        prepared('prepare', gid, lsn - 100),
      )
      timeline[index]!.push(each.commits ? commitPrepared(gid, lsn) : rollbackPrepared(gid, lsn))
      return
    }
    // Segments in the order of the stream, each with its share of the messages.
    const places = [...each.segments].map((back) => Math.max(0, index - back)).sort((a, b) => a - b)
    const contents = [...own, ...body]
    places.forEach((place, i) => {
      const from = Math.floor((contents.length * i) / places.length)
      const to = Math.floor((contents.length * (i + 1)) / places.length)
      timeline[place]!.unshift(streamStart(xid, !opened.get(xid)), ...contents.slice(from, to), streamStop)
      opened.set(xid, true)
    })
    orderSegments(timeline, xid)
    const end = timeline[index]!
    for (const sub of each.abortedSubs) end.push(streamAbort(xid, xid + sub))
    if (each.kind === 'streamPrepared') {
      end.push(
        prepared('streamPrepare', gid, lsn - 100, xid),
        each.commits ? commitPrepared(gid, lsn) : rollbackPrepared(gid, lsn),
      )
    } else {
      end.push(each.commits ? streamCommit(xid, lsn) : streamAbort(xid, xid))
    }
  })
  return { timeline, expected }
}

/** Segments of one transaction that were put before one another into the same block stand in reverse: puts them right. */
function orderSegments(timeline: PgoutputMessage[][], xid: number): void {
  for (const block of timeline) {
    const segments: PgoutputMessage[][] = []
    while (block[0]?.tag === 'streamStart' && block[0].xid === xid)
      segments.push(block.splice(0, block.findIndex(({ tag }) => tag === 'streamStop') + 1))
    block.unshift(...segments.reverse().flat())
  }
}

function assertCode(code: string, work: () => unknown): void {
  assert.throws(work, (error) => error instanceof Failure && error.code === code)
}
