import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Failure } from '@crossfade/model/failure.ts'
import { testSeed } from '@crossfade/model/testing/test-seed.ts'
import type { Row } from '@crossfade/pipeline/transform.ts'
import fc from 'fast-check'
import { Type } from 'typebox'
import { channel } from './channel.ts'
import { constant, dropColumns, mapValues, renameColumns } from './columns.ts'
import { convertColumns, timestampsToUtc } from './convert.ts'
import { jsonRemove, jsonSet } from './json.ts'
import { jsonbText, parseJson } from './json-text.ts'
import { hashColumns, maskColumns } from './mask.ts'
import { message } from './message.ts'
import { mergeColumns, splitColumn } from './split-merge.ts'
import { tenant } from './tenant.ts'
import { formatTimestamp, momentOf, parseTimestamp } from './timestamp.ts'
import {
  chain,
  createTransformer,
  defineTransformer,
  reversible,
  type Transformer,
  transformerNames,
} from './transformer.ts'
import './builtin.ts'

const seed = testSeed()
const runs = { seed, numRuns: Number(process.env['CROSSFADE_RUNS'] ?? 100), verbose: false }

const text = fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }), fc.constantFrom('', ' ', '\\N', "'", 'a b c'))
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null, freq: 5 })
const instant = fc.bigInt({ min: -60_000_000_000_000_000n, max: 8_000_000_000_000_000n })

/** What goes there and back must be what it was. */
const reversibles: [string, Transformer, fc.Arbitrary<Row>][] = [
  [
    'renameColumns',
    renameColumns({ columns: { a: 'b', b: 'a' } }),
    fc.record({ a: maybe(text), b: maybe(text), c: text }),
  ],
  [
    'mapValues',
    mapValues({ column: 'a', values: { x: '1', y: '2' } }),
    fc.record({ a: fc.constantFrom('x', 'y', null), b: text }),
  ],
  [
    'mapValues keeping others',
    mapValues({ column: 'a', values: { x: 'y', y: 'x' }, otherwise: 'keep' }),
    fc.record({ a: maybe(fc.oneof(text, fc.constantFrom('x', 'y'))) }),
  ],
  ['constant', constant({ column: 'a', value: 'new', was: null }), fc.record({ a: fc.constant(null), b: text })],
  ['constant added', constant({ column: 'a', value: 'new', added: true }), fc.record({ b: text })],
  [
    'splitColumn',
    splitColumn({ column: 'name', into: ['p', 'q', 'r'], separator: ' ' }),
    fc.record({ name: maybe(text), z: text }),
  ],
  [
    'splitColumn at several letters',
    splitColumn({ column: 'name', into: ['p', 'q'], separator: '::' }),
    fc.record({ name: maybe(fc.stringMatching(/^[a:]{0,8}$/)) }),
  ],
  [
    'mergeColumns',
    mergeColumns({ columns: ['p', 'q'], into: 'name', separator: '|' }),
    fc.tuple(fc.stringMatching(/^[^|]*$/), maybe(text)).map(([p, q]) => ({ p, q })),
  ],
  [
    'jsonSet added',
    jsonSet({ column: 'j', path: ['v'], value: { n: 2 }, added: true }),
    fc.record({
      j: maybe(
        fc
          .dictionary(fc.stringMatching(/^[a-u]{1,4}$/), fc.jsonValue())
          .map((value) => jsonbText(parseJson(JSON.stringify(value)))),
      ),
    }),
  ],
  [
    'seconds',
    convertColumns({ columns: ['t'], as: 'epoch-seconds to timestamptz' }),
    fc.record({ t: maybe(fc.integer({ min: -60_000_000_000, max: 250_000_000_000 }).map(String)) }),
  ],
  [
    'milliseconds',
    convertColumns({ columns: ['t'], as: 'epoch-milliseconds to timestamptz' }),
    fc.record({
      t: maybe(
        fc
          .maxSafeInteger()
          .filter((n) => n > -60_000_000_000_000 && n < 250_000_000_000_000)
          .map(String),
      ),
    }),
  ],
  [
    'booleans',
    convertColumns({ columns: ['t'], as: 'boolean to yes-no' }),
    fc.record({ t: fc.constantFrom('t', 'f', null) }),
  ],
  [
    'integers',
    convertColumns({ columns: ['t'], as: 'text to integer' }),
    fc.record({ t: maybe(fc.bigInt().map(String)) }),
  ],
  [
    'DM-05 tenant',
    tenant({ prefix: 't_', statuses: { A: 'active', S: 'suspended' } }),
    fc.record({ tenant_id: maybe(text), status: fc.constantFrom('A', 'S', null) }),
  ],
  [
    'DM-05 message',
    message({ content: 'keep', metadataKeys: { src: 'source', ts: 'timestamp' } }),
    fc.record({
      content: text,
      metadata: maybe(
        fc
          .dictionary(fc.constantFrom('src', 'ts', 'other', 'x'), fc.integer())
          .map((value) => jsonbText(parseJson(JSON.stringify(value)))),
      ),
    }),
  ],
  [
    'DM-05 channel',
    channel({
      types: { wa: 'whatsapp', sms: 'sms' },
      recrypt: (value) => `v2:${value}`,
      restore: (value) => value.slice(3),
    }),
    fc.record({ channel_type: fc.constantFrom('wa', 'sms'), encrypted_value: maybe(text) }),
  ],
]
for (const [what, transformer, rows] of reversibles) {
  test(`DM-05: ${what} there and back changes nothing (seed ${seed})`, () => {
    const { forward, backward } = transformer
    assert.ok(backward, 'it has a way back')
    fc.assert(
      fc.property(rows, (row) => {
        const there = forward(row)
        assert.ok(there)
        assert.deepEqual({ ...backward(there) }, { ...row })
        assert.deepEqual(forward(row), there)
      }),
      runs,
    )
  })
}

test(`DM-05: timestamps of a zone there and back, outside the hours that the clock skips or repeats (seed ${seed})`, () => {
  for (const timezone of ['Europe/Berlin', 'America/New_York', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'UTC']) {
    const { forward, backward } = timestampsToUtc({ columns: ['t'], timezone })
    fc.assert(
      fc.property(instant, (moment) => {
        const row = { t: formatTimestamp(moment, false) }
        const clock = parseTimestamp(row.t)!.clock
        const hour = 3_600_000_000n * 2n
        // Near a change of the clock two moments have one clock time.
        fc.pre(momentOf(clock + hour, timezone) - momentOf(clock - hour, timezone) === 2n * hour)
        assert.deepEqual(backward!(forward(row)!), row)
      }),
      runs,
    )
  }
})

test('timestamps are printed as PostgreSQL prints them', () => {
  const { forward } = timestampsToUtc({ columns: ['t'], timezone: 'Europe/Berlin' })
  assert.deepEqual(forward({ t: '2024-07-01 12:00:00.5' }), { t: '2024-07-01 10:00:00.5+00' })
  assert.deepEqual(forward({ t: '2024-01-01 00:00:00' }), { t: '2023-12-31 23:00:00+00' })
  assert.deepEqual(forward({ t: 'infinity' }), { t: 'infinity' })
  assert.deepEqual(forward({ t: null }), { t: null })
  assert.equal(
    formatTimestamp(parseTimestamp('0099-03-04 05:06:07.000008')!.clock, false).slice(-15),
    '05:06:07.000008',
  )
})

test('jsonb is printed as PostgreSQL prints it, numbers digit by digit', () => {
  const print = (json: string) => jsonbText(parseJson(json))
  assert.equal(print('{"bb":1,"a":2,"c":[1,{"z":null}]}'), '{"a": 2, "c": [1, {"z": null}], "bb": 1}')
  assert.equal(print('12345678901234567890.10'), '12345678901234567890.10')
  assert.equal(print('[1e3, 1.5E-3, -0, -0.00, 1.0, 0e9]'), '[1000, 0.0015, 0, 0.00, 1.0, 0]')
  assert.equal(print('{"ü":1,"zz":2}'), '{"zz": 2, "ü": 1}')
})

const oneWay: [string, Transformer, Row, Row][] = [
  [
    'maskColumns',
    maskColumns({ columns: ['a', 'b'], keepFirst: 1, keepLast: 2 }),
    { a: 'abcdef', b: null },
    { a: 'a***ef', b: null },
  ],
  ['maskColumns short', maskColumns({ columns: ['a'], keepFirst: 2, keepLast: 2 }), { a: 'abc' }, { a: '***' }],
  [
    'maskColumns email',
    maskColumns({ columns: ['a'], keepFirst: 1, email: true }),
    { a: 'ada@example.org' },
    { a: 'a**@example.org' },
  ],
  ['hashColumns', hashColumns({ columns: ['a'], salt: 's', length: 8 }), { a: 'x' }, { a: '9740c9dc' }],
  ['dropColumns', dropColumns({ columns: ['a'] }), { a: '1', b: '2' }, { b: '2' }],
  [
    'jsonRemove',
    jsonRemove({ column: 'a', path: ['x', 'y'] }),
    { a: '{"x": {"y": 1, "z": 2}}' },
    { a: '{"x": {"z": 2}}' },
  ],
  ['jsonSet deep', jsonSet({ column: 'a', path: ['x', 'y'], value: [1] }), { a: '{}' }, { a: '{"x": {"y": [1]}}' }],
  ['message', message({}), { content: 'e\u0301\r\nb  ' }, { content: 'é\nb' }],
]
for (const [what, transformer, row, expected] of oneWay) {
  test(`DM-05: ${what} does what it says, and has no way back`, () => {
    assert.deepEqual(transformer.forward(row), expected)
    assert.equal(transformer.backward, null)
  })
}

const unfit: [string, Transformer, Row][] = [
  ['a value that is not mapped', mapValues({ column: 'a', values: { x: 'y' } }), { a: 'z' }],
  [
    'a part that holds the separator',
    mergeColumns({ columns: ['a', 'b'], into: 'c', separator: ' ' }),
    { a: 'x y', b: 'z' },
  ],
  ['NULL before a value', mergeColumns({ columns: ['a', 'b'], into: 'c', separator: ' ' }), { a: null, b: 'z' }],
  ['text that is no JSON', jsonSet({ column: 'a', path: ['x'], value: 1 }), { a: '{' }],
  ['an entry that is there already', jsonSet({ column: 'a', path: ['x'], value: 1, added: true }), { a: '{"x": 0}' }],
  [
    'an entry that has the new name',
    message({ content: 'keep', metadataKeys: { a: 'b' } }),
    { metadata: '{"a": 1, "b": 2}' },
  ],
  ['text that is no number', convertColumns({ columns: ['a'], as: 'epoch-seconds to timestamptz' }), { a: '1.5' }],
]
for (const [what, transformer, row] of unfit) {
  test(`a row that cannot be carried fails, and its value is not in the error: ${what}`, () => {
    assert.throws(
      () => transformer.forward(row),
      (error) =>
        error instanceof Failure &&
        error.code === 'CF1033' &&
        !Object.values(row).some((value) => value !== null && value.length > 3 && error.message.includes(value)),
    )
  })
}

test('a chain has a way back when every link has one, and stops at a row that is left out', () => {
  const links = [renameColumns({ columns: { a: 'b' } }), tenant({ idColumns: ['b'], prefix: 'x' })]
  const there = chain(links)
  assert.deepEqual(there.forward({ a: '1' }), { b: 'x1' })
  assert.deepEqual(there.backward!({ b: 'x1' }), { a: '1' })
  assert.equal(chain([...links, dropColumns({ columns: ['b'] })]).backward, null)
  const drop = reversible(
    () => null,
    (row) => row,
  )
  assert.equal(chain([drop, ...links]).forward({ a: '1' }), null)
})

test('DM-05: a transformer of one’s own is registered, typed, validated and made by name', () => {
  const upper = defineTransformer(
    'testUpper',
    Type.Object({ column: Type.String() }, { additionalProperties: false }),
    ({ column }) => ({
      forward: (row) => ({ ...row, [column]: row[column]?.toUpperCase() ?? null }),
      backward: null,
    }),
  )
  assert.deepEqual(upper({ column: 'a' }).forward({ a: 'x' }), { a: 'X' })
  assert.deepEqual(createTransformer('testUpper', { column: 'a' }).forward({ a: 'x' }), { a: 'X' })
  assert.ok(transformerNames().includes('testUpper'))
  const code = (expected: string) => (error: unknown) => error instanceof Failure && error.code === expected
  assert.throws(() => createTransformer('testUpper', { columm: 'a' }), code('CF1031'))
  assert.throws(() => createTransformer('nobody', {}), code('CF1030'))
  assert.throws(
    () => defineTransformer('testUpper', Type.Object({}), () => ({ forward: (row) => row, backward: null })),
    code('CF1032'),
  )
})
