import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Failure } from '@crossfade/model/failure.ts'
import { asLsn } from '@crossfade/model/lsn.ts'
import { testSeed } from '@crossfade/model/testing/test-seed.ts'
import fc from 'fast-check'
import { PgoutputDecoder } from './decode.ts'
import { type Cell, cellsOf, encode, tupleOf } from './encoder-testing.ts'
import type { OldTuple, PgoutputMessage, Relation, Tuple } from './message.ts'

const seed = testSeed()
/** Streams for each property; more with CROSSFADE_RUNS. */
const numRuns = Number(process.env['CROSSFADE_RUNS'] ?? 100)
const check = (property: fc.IProperty<unknown[]>) => fc.assert(property, { seed, numRuns })

const uint32 = fc.nat({ max: 0xffffffff })
const xid = fc.integer({ min: 1, max: 0xffffffff })
const lsn = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map(asLsn)
const time = fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n })
const name = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  .filter((text) => !text.includes('\0') && text.isWellFormed())
const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array))
const cell: fc.Arbitrary<Cell> = fc.oneof(
  bytes.map((text) => ({ text })),
  bytes.map((binary) => ({ binary })),
  fc.constant(null),
  fc.constant('unchanged' as const),
)
const relation: fc.Arbitrary<Relation> = fc.record({
  oid: fc.integer({ min: 1, max: 0xffffffff }),
  schema: name,
  name,
  replicaIdentity: fc.constantFrom('default', 'nothing', 'full', 'index'),
  columns: fc.array(fc.record({ name, typeOid: uint32, typeModifier: fc.integer(), key: fc.boolean() }), {
    maxLength: 12,
  }),
})

const tuple = ({ columns }: Relation): fc.Arbitrary<Tuple> =>
  fc.array(cell, { minLength: columns.length, maxLength: columns.length }).map(tupleOf)
const old = (of: Relation): fc.Arbitrary<OldTuple> =>
  fc.record({ kind: fc.constantFrom('key', 'full'), tuple: tuple(of) })

/** Messages that may stand where `xidOf` says: in a streamed segment they carry a transaction. */
function contents(relations: readonly Relation[], xidOf: fc.Arbitrary<number | null>): fc.Arbitrary<PgoutputMessage> {
  const some = fc.constantFrom(...relations)
  return fc.oneof(
    some.chain((relation) =>
      fc.record({
        tag: fc.constant('insert' as const),
        xid: xidOf,
        relation: fc.constant(relation),
        after: tuple(relation),
      }),
    ),
    some.chain((relation) =>
      fc.record({
        tag: fc.constant('update' as const),
        xid: xidOf,
        relation: fc.constant(relation),
        before: fc.option(old(relation)),
        after: tuple(relation),
      }),
    ),
    some.chain((relation) =>
      fc.record({
        tag: fc.constant('delete' as const),
        xid: xidOf,
        relation: fc.constant(relation),
        before: old(relation),
      }),
    ),
    fc.record({
      tag: fc.constant('truncate' as const),
      xid: xidOf,
      relations: fc.uniqueArray(some, { minLength: 1, maxLength: 3 }),
      cascade: fc.boolean(),
      restartIdentity: fc.boolean(),
    }),
    fc.record({
      tag: fc.constant('message' as const),
      xid: xidOf,
      transactional: fc.boolean(),
      lsn,
      prefix: name,
      content: bytes,
    }),
    fc.record({ tag: fc.constant('type' as const), xid: xidOf, oid: uint32, schema: name, name }),
    fc.record({ tag: fc.constant('origin' as const), originLsn: lsn, name }),
  )
}

const outside: fc.Arbitrary<PgoutputMessage> = fc.oneof(
  fc.record({ tag: fc.constant('begin' as const), finalLsn: lsn, commitTime: time, xid }),
  fc.record({ tag: fc.constant('commit' as const), commitLsn: lsn, endLsn: lsn, commitTime: time }),
  fc.record({ tag: fc.constant('streamCommit' as const), xid, commitLsn: lsn, endLsn: lsn, commitTime: time }),
  fc.record({ tag: fc.constant('streamAbort' as const), xid, subXid: xid, abortLsn: lsn, abortTime: time }),
  fc.record({
    tag: fc.constant('streamAbort' as const),
    xid,
    subXid: xid,
    abortLsn: fc.constant(null),
    abortTime: fc.constant(null),
  }),
  fc.record({
    tag: fc.constantFrom('beginPrepare' as const, 'prepare' as const, 'streamPrepare' as const),
    prepareLsn: lsn,
    endLsn: lsn,
    prepareTime: time,
    xid,
    gid: name,
  }),
  fc.record({
    tag: fc.constant('commitPrepared' as const),
    commitLsn: lsn,
    endLsn: lsn,
    commitTime: time,
    xid,
    gid: name,
  }),
  fc.record({
    tag: fc.constant('rollbackPrepared' as const),
    prepareEndLsn: lsn,
    rollbackEndLsn: lsn,
    prepareTime: time,
    rollbackTime: time,
    xid,
    gid: name,
  }),
)

/** A stream that describes its tables first, then holds plain messages and streamed segments. */
const stream: fc.Arbitrary<PgoutputMessage[]> = fc
  .uniqueArray(relation, { minLength: 1, maxLength: 4, selector: ({ oid }) => oid })
  .chain((relations) => {
    const plain = fc.array(fc.oneof(contents(relations, fc.constant(null)), outside), { maxLength: 12 })
    const segment = fc
      .tuple(xid, fc.boolean(), fc.array(contents(relations, xid), { maxLength: 8 }))
      .map(([of, firstSegment, inside]): PgoutputMessage[] => [
        { tag: 'streamStart', xid: of, firstSegment },
        ...inside,
        { tag: 'streamStop' },
      ])
    const described = relations.map((each): PgoutputMessage => ({ tag: 'relation', xid: null, relation: each }))
    return fc.array(fc.oneof(plain, segment), { maxLength: 6 }).map((parts) => [...described, ...parts.flat()])
  })

/** The message with its tuples' cells spelled out, so that two can be compared wherever their bytes lie. */
function spelled(message: PgoutputMessage): unknown {
  const plain: Record<string, unknown> = { ...message }
  for (const field of ['after', 'before'] as const) {
    const value = plain[field] as Tuple | OldTuple | null | undefined
    if (value)
      plain[field] = 'kind' in value ? { kind: value.kind, cells: cellsOf(value.tuple) } : { cells: cellsOf(value) }
  }
  return structuredClone(plain)
}

test(`every generated stream is read as it was written (seed ${seed})`, () => {
  check(
    fc.property(stream, fc.nat({ max: 50 }), (messages, padding) => {
      const decoder = new PgoutputDecoder()
      for (const message of messages) {
        const encoded = encode(message)
        // Somewhere in a larger buffer, as in a block of the socket.
        const block = Buffer.concat([Buffer.alloc(padding, 0x49), encoded, Buffer.alloc(padding, 0x49)])
        assert.deepEqual(spelled(decoder.decode(block, padding, padding + encoded.length)), spelled(message))
      }
    }),
  )
})

test(`every truncated message gives CF3010, and nothing of it is remembered (seed ${seed})`, () => {
  check(
    fc.property(stream, fc.nat(), (messages, at) => {
      const decoder = new PgoutputDecoder()
      for (const message of messages) {
        const encoded = encode(message)
        const cut = at % encoded.length
        // An abort is complete with or without its place and time.
        if (!(message.tag === 'streamAbort' && cut === 9)) {
          const followed = Buffer.concat([encoded.subarray(0, cut), Buffer.alloc(64)])
          assertCoded(() => decoder.decode(followed, 0, cut))
          assertCoded(() => decoder.decode(encoded.subarray(0, cut)))
        }
        decoder.decode(encoded)
      }
    }),
  )
})

test(`mutated bytes give a message that reads back the same, or CF3010 (seed ${seed})`, () => {
  const mutation = fc.record({ message: fc.nat(), at: fc.nat(), to: fc.nat({ max: 255 }), insert: fc.boolean() })
  check(
    fc.property(stream, fc.array(mutation, { minLength: 1, maxLength: 10 }), (messages, mutations) => {
      for (const { message, at, to, insert } of mutations) {
        const decoder = new PgoutputDecoder()
        const target = message % messages.length
        for (const each of messages.slice(0, target)) decoder.decode(encode(each))
        const streaming = decoder.streamXid !== null
        const encoded = encode(messages[target]!)
        const place = at % encoded.length
        const mutated = insert
          ? Buffer.concat([encoded.subarray(0, place), Buffer.from([to]), encoded.subarray(place)])
          : Buffer.from(encoded)
        if (!insert) mutated[place] = to
        let decoded: PgoutputMessage
        try {
          decoded = decoder.decode(mutated)
        } catch (error) {
          assertIsCoded(error)
          continue
        }
        // An empty schema stands for pg_catalog, the one thing that is not written as it was read.
        if (
          JSON.stringify(decoded, (_, value) => (typeof value === 'bigint' ? String(value) : value)).includes(
            'pg_catalog',
          )
        )
          continue
        if ('xid' in decoded && decoded.xid === null) assert.ok(!streaming)
        assert.ok(encode(decoded).equals(mutated), `${mutated.toString('hex')} was read as ${decoded.tag}`)
      }
    }),
  )
})

test(`random bytes give CF3010 and never anything else (seed ${seed})`, () => {
  check(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 20 }), fc.boolean(), (inputs, streaming) => {
      const decoder = new PgoutputDecoder([{ oid: 1, schema: 's', name: 't', replicaIdentity: 'full', columns: [] }])
      if (streaming) decoder.decode(encode({ tag: 'streamStart', xid: 1, firstSegment: true }))
      for (const input of inputs) {
        try {
          decoder.decode(Buffer.from(input))
        } catch (error) {
          assertIsCoded(error)
        }
      }
    }),
  )
})

const table: Relation = {
  oid: 7,
  schema: 'public',
  name: 't',
  replicaIdentity: 'default',
  columns: [{ name: 'id', typeOid: 23, typeModifier: -1, key: true }],
}
const wider: Relation = {
  ...table,
  columns: [...table.columns, { name: 'x', typeOid: 25, typeModifier: -1, key: false }],
}
const oneCell = tupleOf([{ text: Buffer.from('1') }])
const twoCells = tupleOf([{ text: Buffer.from('1') }, null])

test('a shape that a streamed transaction described is seen by that one alone until it commits', () => {
  const decoder = new PgoutputDecoder()
  const feed = (message: PgoutputMessage) => decoder.decode(encode(message))
  feed({ tag: 'relation', xid: null, relation: table })
  feed({ tag: 'streamStart', xid: 5, firstSegment: true })
  feed({ tag: 'relation', xid: 5, relation: wider })
  feed({ tag: 'insert', xid: 5, relation: wider, after: twoCells })
  feed({ tag: 'streamStop' })
  feed({ tag: 'insert', xid: null, relation: table, after: oneCell })
  feed({ tag: 'streamStart', xid: 5, firstSegment: false })
  feed({ tag: 'insert', xid: 6, relation: wider, after: twoCells })
  feed({ tag: 'streamStop' })
  assertCoded(() => feed({ tag: 'insert', xid: null, relation: wider, after: twoCells }))
  feed({ tag: 'streamCommit', xid: 5, commitLsn: asLsn(1n), endLsn: asLsn(2n), commitTime: 0n })
  feed({ tag: 'insert', xid: null, relation: wider, after: twoCells })
})

test('a shape that a streamed transaction described is forgotten when it aborts', () => {
  const decoder = new PgoutputDecoder()
  const feed = (message: PgoutputMessage) => decoder.decode(encode(message))
  feed({ tag: 'relation', xid: null, relation: table })
  feed({ tag: 'streamStart', xid: 5, firstSegment: true })
  feed({ tag: 'relation', xid: 5, relation: wider })
  feed({ tag: 'streamStop' })
  feed({ tag: 'streamAbort', xid: 5, subXid: 6, abortLsn: null, abortTime: null })
  feed({ tag: 'streamAbort', xid: 5, subXid: 5, abortLsn: null, abortTime: null })
  feed({ tag: 'insert', xid: null, relation: table, after: oneCell })
})

test('D08: null, empty, and an unchanged TOAST value are three different things', () => {
  const decoder = new PgoutputDecoder([{ ...table, columns: Array.from({ length: 4 }, () => table.columns[0]!) }])
  const cells: Cell[] = [null, { text: Buffer.alloc(0) }, 'unchanged', { binary: Buffer.alloc(0) }]
  const decoded = decoder.decode(encode({ tag: 'insert', xid: null, relation: table, after: tupleOf(cells) }))
  assert.ok(decoded.tag === 'insert')
  assert.deepEqual([...decoded.after.lengths], [-1, 0, -2, 0])
  assert.deepEqual(Array.from(decoded.after.binary as Uint8Array, Boolean), [false, false, false, true])
})

test('a tuple with more or fewer cells than its table is refused', () => {
  const decoder = new PgoutputDecoder([table])
  assertCoded(() => decoder.decode(encode({ tag: 'insert', xid: null, relation: table, after: twoCells })))
  assertCoded(() => decoder.decode(encode({ tag: 'insert', xid: null, relation: table, after: tupleOf([]) })))
})

function assertCoded(work: () => unknown): void {
  try {
    work()
  } catch (error) {
    assertIsCoded(error)
    return
  }
  assert.fail('it was read')
}

function assertIsCoded(error: unknown): void {
  assert.ok(error instanceof Failure && error.code === 'CF3010', String((error as Error).stack ?? error))
}
