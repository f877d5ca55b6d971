import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLsn, zeroLsn } from '@crossfade/model/lsn.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import { testSeed } from '@crossfade/model/testing/test-seed.ts'
import fc from 'fast-check'
import type { RowMessage } from '../changes/message.ts'
import type { StreamEvent } from '../changes/transaction.ts'
import { testTable } from '../snapshot/snapshot-testing.ts'
import { Batcher, type BatcherOptions, type StreamItem } from './batcher.ts'
import { comparePositions, type Position, wholeLsn } from './position.ts'
import { inserted, testLayout, testRelation, tuple, updated } from './tuple-testing.ts'

const table = testTable('t', { id: 'text', name: 'text' })
const relation = testRelation(table)
const other = testRelation(testTable('not_ours', { id: 'text' }))
const directed = testLayout(table).table

function batcher(options: Partial<BatcherOptions> = {}): Batcher {
  return new Batcher({
    tableOf: (name) => (tableKey(name) === 'public.t' ? directed : null),
    rowsMax: 10,
    bytesMax: 1_000_000,
    start: { lsn: zeroLsn, offset: 0 },
    cuts: [],
    convergingUntil: zeroLsn,
    copiedUntil: () => zeroLsn,
    truncatedShard: null,
    ...options,
  })
}

function piece(lsn: number, offset: number, rows: readonly RowMessage[], end = true): StreamEvent {
  return {
    kind: 'piece',
    piece: { commitLsn: asLsn(BigInt(lsn)), committedAtMs: lsn, xid: lsn, offset, rows, bytes: rows.length * 10, end },
  }
}

const row = (id: number | string) => inserted(relation, tuple(String(id), 'x'))
const truncate: RowMessage = {
  tag: 'truncate',
  xid: null,
  relations: [relation],
  cascade: false,
  restartIdentity: false,
}

function drain(from: Batcher): StreamItem[] {
  const items: StreamItem[] = []
  for (let item = from.take(); item !== undefined; item = from.take()) items.push(item)
  return items
}

/** What a batch holds, in short: `1,2@10` or `truncate@10+3`. */
function short(item: StreamItem): string {
  const at = ({ lsn, offset }: Position) => (offset === 0 ? `@${lsn}` : `@${lsn}+${offset}`)
  if (item.kind === 'position') return at(item.position)
  if (item.kind === 'relationChanged') return `changed ${item.name}`
  const { net, truncation, end } = item.batch
  if (truncation) return `truncate${at(end)}`
  return [...net.keyed.values()].map((keyed) => [...keyed.rows.keys()].join(',')).join(';') + at(end)
}

test('transactions are put together up to the limit; a large one is cut and says how far it came', () => {
  const batches = batcher({ rowsMax: 4 })
  batches.add(piece(10, 0, [row(1), row(2)]))
  batches.add(piece(20, 0, [row(3)]))
  batches.add(piece(30, 0, [row(4), row(5), row(6), row(7)], false))
  batches.add(piece(30, 4, [row(8)]))
  assert.deepEqual(drain(batches).map(short), ['1,2,3@20', '4,5,6,7@30+4', '8@30'])
})

test('a transaction that is not complete waits for its end unless it fills a batch', () => {
  const batches = batcher({ rowsMax: 4 })
  batches.add(piece(10, 0, [row(1)], false))
  assert.equal(batches.take(), undefined)
  batches.add(piece(10, 1, [row(2)], true))
  assert.deepEqual(drain(batches).map(short), ['1,2@10'])
})

test('D04: a position moves on without rows, and never past an unfinished transaction', () => {
  const batches = batcher()
  batches.add({ kind: 'position', lsn: asLsn(5n) })
  assert.deepEqual(drain(batches).map(short), ['@5'])
  batches.add(piece(10, 0, [row(1)], false))
  batches.add({ kind: 'position', lsn: asLsn(8n) })
  batches.add(piece(10, 1, [], true))
  batches.add({ kind: 'position', lsn: asLsn(12n) })
  assert.deepEqual(drain(batches).map(short), ['1@12'])
  batches.add(piece(20, 0, [inserted(other, tuple('1'))]))
  assert.deepEqual(drain(batches).map(short), ['@20'])
})

test('truncate is a batch of its own, in its place', () => {
  const batches = batcher()
  batches.add(piece(10, 0, [row(1)]))
  batches.add(piece(20, 0, [row(2), truncate, row(3), truncate]))
  batches.add(piece(30, 0, [row(4)]))
  assert.deepEqual(drain(batches).map(short), ['1,2@20+1', 'truncate@20+2', '3@20+3', 'truncate@20', '4@30'])
})

test('a table whose shape changes ends the batch, and the change is told between', () => {
  const batches = batcher()
  const wider = {
    ...relation,
    columns: [...relation.columns, { name: 'more', typeOid: 25, typeModifier: -1, key: false }],
  }
  batches.add(piece(10, 0, [row(1), inserted(wider, tuple('2', 'x', 'y'))]))
  batches.add({ kind: 'relationChanged', schema: 'public', name: 't', before: [], after: [] })
  batches.add({ kind: 'relationChanged', schema: 'public', name: 'not_ours', before: [], after: [] })
  batches.add(piece(20, 0, [inserted(wider, tuple('3', 'x', 'y'))]))
  assert.deepEqual(drain(batches).map(short), ['1@10+1', '2@10', 'changed t', '3@20'])
})

test('the same shape described again does not end the batch', () => {
  const batches = batcher()
  batches.add(piece(10, 0, [row(1), updated({ ...relation }, tuple('1', 'y'))]))
  assert.deepEqual(drain(batches).map(short), ['1@10'])
})

test('rows of a table without identity that the copy has are left out', () => {
  const full = testTable('t', { id: 'text', name: 'text' }, { identity: { kind: 'full' } })
  const fullTable = testLayout(full).table
  const batches = batcher({ tableOf: () => fullTable, copiedUntil: () => asLsn(10n) })
  batches.add(piece(10, 0, [row(1)]))
  batches.add(piece(20, 0, [row(2)]))
  const [first, second] = drain(batches)
  assert.equal(second, undefined)
  assert.equal(first?.kind === 'batch' && first.batch.rows, 1)
})

test('D09: a batch that begins before the end of the copy and goes beyond it counts as copied', () => {
  const batches = batcher({ convergingUntil: asLsn(10n) })
  batches.add(piece(10, 0, [row(1)]))
  batches.add(piece(20, 0, [row(1)]))
  const [first] = drain(batches)
  batches.add(piece(30, 0, [row(1)]))
  const [second] = drain(batches)
  assert.deepEqual(
    [first, second].map((item) => item?.kind === 'batch' && [short(item), item.batch.converging]),
    [
      ['1@20', true],
      ['1@30', false],
    ],
  )
})

test('the reader is told to wait while batches lie here, and goes on when they are taken', () => {
  const batches = batcher({ rowsMax: 2 })
  batches.add(piece(10, 0, [row(1), row(2)]))
  assert.equal(batches.full, false)
  batches.add(piece(20, 0, [row(3), row(4)]))
  assert.equal(batches.full, true)
  batches.take()
  assert.equal(batches.full, false)
})

test('D15: wherever targets stand, each takes every row after its position once and in whole batches', () => {
  const transactions = fc.array(
    fc.record({
      rows: fc.integer({ min: 0, max: 7 }),
      cuts: fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 2 }),
      kinds: fc.array(fc.constantFrom('row', 'truncate', 'foreign'), { minLength: 7, maxLength: 7 }),
    }),
    { maxLength: 6 },
  )
  const stands = fc.array(fc.tuple(fc.nat(6), fc.nat(7)), { minLength: 1, maxLength: 3 })
  fc.assert(
    fc.property(transactions, stands, fc.integer({ min: 1, max: 6 }), (script, at, rowsMax) => {
      const events: StreamEvent[] = []
      const all: { at: Position; id: string }[] = []
      script.forEach((transaction, index) => {
        const lsn = (index + 1) * 10
        const messages: RowMessage[] = Array.from({ length: transaction.rows }, (_, nth) => {
          const kind = transaction.kinds[nth]
          if (kind === 'foreign') return inserted(other, tuple('f'))
          all.push({
            at: { lsn: asLsn(BigInt(lsn)), offset: nth + 1 },
            id: kind === 'truncate' ? 'truncate' : `${lsn}.${nth}`,
          })
          return kind === 'truncate' ? truncate : row(`${lsn}.${nth}`)
        })
        const bounds = [
          ...new Set([0, ...transaction.cuts.filter((cut) => cut < transaction.rows), transaction.rows]),
        ].sort((a, b) => a - b)
        for (let nth = 0; nth + 1 < bounds.length; nth += 1) {
          const last = nth + 2 === bounds.length
          events.push(piece(lsn, bounds[nth]!, messages.slice(bounds[nth], bounds[nth + 1]), last))
        }
        events.push({ kind: 'position', lsn: asLsn(BigInt(lsn + 5)) })
      })
      // Positions that a target may have stored: whole transactions, or pieces of one.
      const positions = at.map(([transaction, offset]): Position => {
        const rows = script[transaction]?.rows ?? 0
        return { lsn: asLsn(BigInt((transaction + 1) * 10)), offset: offset < rows ? offset : 0 }
      })
      positions.sort(comparePositions)
      const batches = batcher({ rowsMax, start: positions[0]!, cuts: positions.slice(1) })
      const taken: { end: Position; ids: string[] }[] = []
      for (const event of events) {
        batches.add(event)
        for (const item of drain(batches)) {
          if (item.kind !== 'batch') continue
          const { net, truncation, end } = item.batch
          const ids = truncation
            ? ['truncate']
            : net.messages.map((message) =>
                message.tag === 'insert' ? message.after.bytes.toString().slice(0, -1) : '',
              )
          taken.push({ end, ids })
        }
      }
      for (const stand of positions) {
        const given = taken.filter((batch) => comparePositions(batch.end, stand) > 0).flatMap((batch) => batch.ids)
        const last = (each: { at: Position }) => each.at
        const expected = all
          .filter((each) => {
            const { lsn, offset } = last(each)
            if (lsn <= wholeLsn(stand)) return false
            return lsn > stand.lsn || offset > stand.offset
          })
          .map((each) => each.id)
        assert.deepEqual(given, expected)
      }
    }),
    { numRuns: 2_000, seed: testSeed() },
  )
})
