import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testSeed } from '@crossfade/model/testing/test-seed.ts'
import fc from 'fast-check'
import type { Dependency } from '../inventory-types.ts'
import { inOrder } from './order.ts'

const seed = testSeed()

const needs = (object: string, needed: string, via: Dependency['via'] = null): Dependency => ({
  object,
  needs: needed,
  via,
})

test('what is needed comes first, and the given order stays where nothing decides', () => {
  const order = inOrder(['view', 'table', 'type', 'other'], [needs('view', 'table'), needs('table', 'type')])
  assert.deepEqual(order.addresses, ['type', 'table', 'view', 'other'])
  assert.equal(order.deferred.size, 0)
})

test('a cycle through a default is cut at the default', () => {
  const order = inOrder(['table', 'function'], [needs('table', 'function', 'default'), needs('function', 'table')])
  assert.deepEqual(order.addresses, ['table', 'function'])
  assert.deepEqual([...order.deferred], ['table'])
})

test('any graph without cycles comes out in order, every object once', () => {
  const graph = fc.integer({ min: 1, max: 30 }).chain((count) =>
    fc.record({
      count: fc.constant(count),
      edges: fc.array(fc.tuple(fc.nat(count - 1), fc.nat(count - 1)), { maxLength: 80 }),
    }),
  )
  fc.assert(
    fc.property(graph, ({ count, edges }) => {
      const addresses = Array.from({ length: count }, (_, i) => String(i))
      const dependencies = edges
        .filter(([a, b]) => a !== b)
        .map(([a, b]) => needs(String(Math.max(a, b)), String(Math.min(a, b))))
      const sorted = inOrder([...addresses].reverse(), dependencies).addresses
      assert.deepEqual([...sorted].sort(), [...addresses].sort())
      for (const edge of dependencies) assert.ok(sorted.indexOf(edge.needs) < sorted.indexOf(edge.object))
    }),
    { seed, numRuns: 200 },
  )
})
