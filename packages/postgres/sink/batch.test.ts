import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testSeed } from '@crossfade/model/testing/test-seed.ts'
import fc from 'fast-check'
import type { RowMessage } from '../changes/message.ts'
import { testTable } from '../snapshot/snapshot-testing.ts'
import { kindOf, NetEffect } from './batch.ts'
import {
  deleted,
  inserted,
  testLayout,
  testRelation,
  tuple,
  unchanged,
  updated,
  type Value,
  values,
} from './tuple-testing.ts'

const keyed = testTable('t', { id: 'text', name: 'text', big: 'text' })
const keyedLayout = testLayout(keyed)
const relation = testRelation(keyed)
const counted = testTable('c', { name: 'text', big: 'text' }, { identity: { kind: 'full' } })
const countedLayout = testLayout(counted)
const countedRelation = testRelation(counted)

function net(...messages: RowMessage[]): NetEffect {
  const effect = new NetEffect()
  for (const message of messages) effect.add(keyedLayout, message)
  return effect
}

function kinds(effect: NetEffect): Record<string, string> {
  const rows = effect.keyed.get(keyedLayout)!.rows
  return Object.fromEntries([...rows].map(([key, row]) => [key, kindOf(row)]))
}

function rowOf(effect: NetEffect, key: string): Value[] | null {
  const after = effect.keyed.get(keyedLayout)!.rows.get(key)!.after
  return after && values(after)
}

test('insert and update come to one insert', () => {
  const effect = net(inserted(relation, tuple('1', 'a', 'B')), updated(relation, tuple('1', 'b', unchanged)))
  assert.deepEqual(kinds(effect), { 1: 'insert' })
  assert.deepEqual(rowOf(effect, '1'), ['1', 'b', 'B'])
})

test('insert and delete come to a delete, which does no harm', () => {
  assert.deepEqual(kinds(net(inserted(relation, tuple('1', 'a', 'B')), deleted(relation, tuple('1', null, null)))), {
    1: 'delete',
  })
})

test('delete and insert replace the row: nothing of it is kept', () => {
  const effect = net(deleted(relation, tuple('1', null, null)), inserted(relation, tuple('1', 'a', null)))
  assert.deepEqual(kinds(effect), { 1: 'put' })
  assert.deepEqual(rowOf(effect, '1'), ['1', 'a', null])
})

test('D08: a key change carries what was not sent from the old row, through further changes', () => {
  const effect = net(
    updated(relation, tuple('2', 'a', unchanged), tuple('1', null, null)),
    updated(relation, tuple('2', 'b', unchanged)),
    updated(relation, tuple('3', 'c', unchanged), tuple('2', null, null)),
  )
  assert.deepEqual(kinds(effect), { 1: 'delete', 2: 'delete', 3: 'insert' })
  const row = effect.keyed.get(keyedLayout)!.rows.get('3')!
  assert.deepEqual(values(row.after!), ['3', 'c', unchanged])
  assert.equal(values(row.carryFrom!)[0], '1')
})

test('two columns that print the same together are two keys', () => {
  const table = testTable('pair', { a: 'text', b: 'text' }, { identity: { kind: 'key', columns: ['a', 'b'] } })
  const layout = testLayout(table)
  const effect = new NetEffect()
  effect.add(layout, inserted(testRelation(table), tuple('a', 'bc')))
  effect.add(layout, inserted(testRelation(table), tuple('ab', 'c')))
  assert.equal(effect.keyed.get(layout)!.rows.size, 2)
})

type Operation =
  | { readonly op: 'insert'; readonly id: number; readonly name: string; readonly big: string | null }
  | {
      readonly op: 'update'
      readonly id: number
      readonly to: number
      readonly name: string
      readonly big: string | null | undefined
    }
  | { readonly op: 'delete'; readonly id: number }

const ids = fc.integer({ min: 1, max: 6 })
const small = fc.constantFrom('x', 'y', 'z')
const large = fc.constantFrom('BIG1', 'BIG2', null)
const operations: fc.Arbitrary<Operation[]> = fc.array(
  fc.oneof(
    fc.record({ op: fc.constant('insert' as const), id: ids, name: small, big: large }),
    fc.record({
      op: fc.constant('update' as const),
      id: ids,
      to: ids,
      name: small,
      big: fc.option(large, { nil: undefined }),
    }),
    fc.record({ op: fc.constant('delete' as const), id: ids }),
  ),
  { maxLength: 40 },
)
type Table = Map<string, { name: string; big: string | null }>
const tables: fc.Arbitrary<Table> = fc
  .uniqueArray(fc.record({ id: ids, name: small, big: large }), { selector: (row) => row.id })
  .map((rows) => new Map(rows.map((row) => [String(row.id), { name: row.name, big: row.big }])))

/** Carries an operation out on the model as the source would, and gives the message it would send; null when it does nothing. */
function carryOut(table: Table, operation: Operation, full: boolean): RowMessage | null {
  const id = String(operation.id)
  const row = table.get(id)
  if (operation.op === 'insert') {
    if (row) return null
    table.set(id, { name: operation.name, big: operation.big })
    return inserted(relation, tuple(id, operation.name, operation.big))
  }
  if (!row) return null
  const old = full ? tuple(id, row.name, row.big) : tuple(id, null, null)
  if (operation.op === 'delete') {
    table.delete(id)
    return deleted(relation, old, full ? 'full' : 'key')
  }
  const to = String(operation.to)
  if (to !== id && table.has(to)) return null
  table.delete(id)
  const big = operation.big === undefined ? row.big : operation.big
  table.set(to, { name: operation.name, big })
  // As TOAST does: a value that did not change is not sent.
  const sent = operation.big === undefined && row.big !== null ? unchanged : big
  return updated(relation, tuple(to, operation.name, sent), to !== id || full ? old : null, full ? 'full' : 'key')
}

test('D08: whatever happens to rows, the net effect on the table as it was gives the table as it is', () => {
  fc.assert(
    fc.property(tables, operations, fc.boolean(), (before, script, full) => {
      const after: Table = new Map(before)
      const effect = new NetEffect()
      for (const operation of script) {
        const message = carryOut(after, operation, full)
        if (message) effect.add(keyedLayout, message)
      }
      const applied: Table = new Map(before)
      for (const [key, row] of effect.keyed.get(keyedLayout)?.rows ?? []) {
        const kind = kindOf(row)
        if (kind === 'insert') assert.ok(!before.has(key), `${key} was there before`)
        if (kind === 'update') assert.ok(before.has(key), `${key} was not there before`)
        if (kind === 'delete') {
          applied.delete(key)
          continue
        }
        const [id, name, big] = values(row.after!)
        assert.equal(id, key)
        const source = before.get(values(row.carryFrom ?? row.identity)[0] as string)
        if (big === unchanged) assert.ok(source && (kind === 'update' || row.carryFrom), 'an unsent value has a source')
        applied.set(key, { name: name as string, big: big === unchanged ? source!.big : (big as string | null) })
      }
      assert.deepEqual(new Map([...applied].sort()), new Map([...after].sort()))
    }),
    { numRuns: 2_000, seed: testSeed() },
  )
})

test('rows without identity are counted: the net effect is the difference of the two multisets', () => {
  const rows = fc.record({ name: small, big: large })
  const script = fc.array(
    fc.oneof(
      fc.record({ op: fc.constant('insert' as const), row: rows }),
      fc.record({ op: fc.constant('delete' as const), at: fc.nat() }),
      fc.record({
        op: fc.constant('update' as const),
        at: fc.nat(),
        name: small,
        big: fc.option(large, { nil: undefined }),
      }),
    ),
    { maxLength: 30 },
  )
  fc.assert(
    fc.property(fc.array(rows, { maxLength: 6 }), script, (before, operations) => {
      const table = before.map((row) => ({ ...row }))
      const effect = new NetEffect()
      const add = (message: RowMessage) => effect.add(countedLayout, message)
      for (const operation of operations) {
        if (operation.op === 'insert') {
          table.push({ ...operation.row })
          add(inserted(countedRelation, tuple(operation.row.name, operation.row.big)))
          continue
        }
        const row = table[operation.at % Math.max(table.length, 1)]
        if (!row) continue
        const old = tuple(row.name, row.big)
        if (operation.op === 'delete') {
          table.splice(table.indexOf(row), 1)
          add(deleted(countedRelation, old, 'full'))
          continue
        }
        const sent = operation.big === undefined && row.big !== null ? unchanged : (operation.big ?? null)
        row.name = operation.name
        if (sent !== unchanged) row.big = sent
        add(updated(countedRelation, tuple(row.name, sent), old, 'full'))
      }
      const count = (of: readonly { name: string; big: string | null }[]) => {
        const counts = new Map<string, number>()
        for (const row of of)
          counts.set(JSON.stringify([row.name, row.big]), (counts.get(JSON.stringify([row.name, row.big])) ?? 0) + 1)
        return counts
      }
      const expected = count(table)
      const applied = count(before)
      for (const { tuple: row, count: by } of effect.counted.get(countedLayout)?.rows.values() ?? []) {
        const key = JSON.stringify(values(row))
        applied.set(key, (applied.get(key) ?? 0) + by)
        if (applied.get(key) === 0) applied.delete(key)
      }
      assert.deepEqual(new Map([...applied].sort()), new Map([...expected].sort()))
    }),
    { numRuns: 1_000, seed: testSeed() },
  )
})

test('what a deleted row was in between does not say where it was before', () => {
  const effect = net(updated(relation, tuple('1', 'moved', 'B')), deleted(relation, tuple('1', null, null)))
  assert.equal(effect.keyed.get(keyedLayout)!.rows.get('1')!.identityWhole, false)
})
