import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonSchema } from '@crossfade/catalog/catalog.ts'
import { createArgumentCheck } from './tool-arguments.ts'

const check = createArgumentCheck()

function reason(schema: JsonSchema, given: Record<string, unknown>): string | null {
  return check.reasonAgainst('a_tool', schema, given)
}

const issue = {
  type: 'object',
  properties: {
    title: { type: 'string', minLength: 1 },
    count: { type: 'integer' },
    state: { enum: ['open', 'closed'] },
    labels: { type: 'array', items: { type: 'object', properties: { name: { type: 'string' } } } },
  },
  required: ['title'],
  additionalProperties: false,
}

test('SI-02 arguments that fit are taken', () => {
  assert.equal(reason(issue, { title: 'x', count: 1, state: 'open', labels: [{ name: 'a' }] }), null)
})

test('SI-02 wrong arguments are told by name, with what was expected', () => {
  assert.equal(reason(issue, {}), '`title` is missing')
  assert.equal(reason(issue, { title: 'x', count: '1' }), '`count` must be integer, and is a string')
  assert.equal(reason(issue, { title: 'x', state: 'gone' }), '`state` must be one of "open", "closed"')
  assert.equal(reason(issue, { title: 'x', more: 1 }), '`more` is no argument of it')
  assert.equal(
    reason(issue, { title: 'x', labels: [{ name: 'a' }, { name: null }] }),
    '`labels[1].name` must be string, and is null',
  )
  assert.match(reason(issue, { title: '' })!, /`title` must NOT have fewer than 1/)
})

test('M10 a schema that contains itself is checked as deep as the arguments go', () => {
  const tree = {
    type: 'object',
    properties: { root: { $ref: '#/$defs/node' } },
    $defs: {
      node: {
        type: 'object',
        properties: { value: { type: 'integer' }, children: { type: 'array', items: { $ref: '#/$defs/node' } } },
        required: ['value'],
      },
    },
  }
  assert.equal(reason(tree, { root: { value: 1, children: [{ value: 2, children: [{ value: 3 }] }] } }), null)
  assert.equal(
    reason(tree, { root: { value: 1, children: [{ value: 2, children: [{}] }] } }),
    '`root.children[0].children[0].value` is missing',
  )
})

test('SI-02 a pattern that would take forever is left to the upstream', () => {
  const evil = { type: 'object', properties: { text: { type: 'string', pattern: '^(a+)+$' } } }
  assert.equal(reason(evil, { text: `${'a'.repeat(50)}!` }), null)
  const keyed = {
    type: 'object',
    properties: { pattern: { type: 'integer' } },
    patternProperties: { '^(x+)+$': { type: 'integer' } },
    additionalProperties: false,
  }
  assert.equal(reason(keyed, { [`${'x'.repeat(40)}!`]: 1 }), null)
  // An argument that is called `pattern` is one like the others.
  assert.equal(reason(keyed, { pattern: 'x' }), '`pattern` must be integer, and is a string')
})

test('SI-02 a schema whose branches contain themselves cannot keep the worker busy', () => {
  const branching = {
    type: 'object',
    properties: { root: { $ref: '#/$defs/node' } },
    $defs: {
      node: {
        anyOf: [
          { type: 'object', properties: { child: { $ref: '#/$defs/node' }, side: { const: 'left' } } },
          { type: 'object', properties: { child: { $ref: '#/$defs/node' }, side: { const: 'right' } } },
        ],
      },
    },
  }
  let nested: unknown = { side: 'neither' }
  for (let level = 0; level < 60; level++) nested = { child: nested, side: 'neither' }
  assert.match(reason(branching, { root: nested })!, /too many ways/)
  assert.equal(reason(branching, { root: { side: 'left', child: { side: 'right' } } }), null)
})

test('SI-02 every bound of the schema is told before the upstream is called, naming the argument', () => {
  const schema = {
    type: 'object',
    properties: {
      code: { type: 'string', pattern: '^[a-z]{2}-\\d+$' },
      tags: { type: 'array', uniqueItems: true, minItems: 1, maxItems: 4 },
      price: { type: 'number', multipleOf: 0.01 },
      map: { type: 'object', minProperties: 1, maxProperties: 2, propertyNames: { pattern: '^[a-z]+$' } },
      kind: { const: 'one' },
      size: { type: 'integer', minimum: 1, exclusiveMaximum: 10, multipleOf: 3 },
      list: { type: 'array', items: { type: 'object', properties: { id: { type: 'string', pattern: '^x' } } } },
    },
  }
  const table: [Record<string, unknown>, string | null][] = [
    [{ code: 'ab-12' }, null],
    [{ code: 'AB-12' }, '`code` must match the pattern ^[a-z]{2}-\\d+$'],
    [{ list: [{ id: 'x1' }, { id: 'y' }] }, '`list[1].id` must match the pattern ^x'],
    [{ tags: [1, '1', true, null] }, null],
    [{ tags: [{ a: 1, b: [2] }, { a: 1, b: [3] }, '{"a":1}', { a: 1 }] }, null],
    [{ tags: ['a', 'b', 'a'] }, '`tags` must not have the same element twice'],
    [
      {
        tags: [
          { a: 1, b: [2] },
          { b: [2], a: 1 },
        ],
      },
      '`tags` must not have the same element twice',
    ],
    [{ tags: [] }, '`tags` must NOT have fewer than 1 items'],
    [{ tags: [1, 2, 3, 4, 5] }, '`tags` must NOT have more than 4 items'],
    [{ price: 19.99 }, null],
    [{ price: 123_456_789.01 }, null],
    [{ price: 19.995 }, '`price` must be a multiple of 0.01'],
    [{ size: 4 }, '`size` must be a multiple of 3'],
    [{ size: 12 }, '`size` must be < 10'],
    [{ map: {} }, '`map` must NOT have fewer than 1 properties'],
    [{ map: { a: 1, b: 2, c: 3 } }, '`map` must NOT have more than 2 properties'],
    [{ map: { A: 1 } }, '`map` must match the pattern ^[a-z]+$'],
    [{ kind: 'two' }, '`kind` must be "one"'],
  ]
  for (const [given, expected] of table) assert.equal(reason(schema, given), expected, JSON.stringify(given))
})

test('SI-02 a pattern that its own example breaks, or of another dialect, says nothing about arguments', () => {
  const patterns: [string, object][] = [
    ['^firewall$', { examples: ['firewall123'] }],
    ['^[0-9]+$', { default: 'none' }],
    ['/^[a-z]+$/', {}],
    ['^[[:alpha:]]+$', {}],
    ['^(?=.*[a-z]).+$', {}],
    ['^(.)\\1$', {}],
    [`^${'a'.repeat(2_000)}$`, {}],
  ]
  for (const [pattern, others] of patterns) {
    const schema = { type: 'object', properties: { a: { type: 'string', pattern, ...others } } }
    assert.equal(reason(schema, { a: '?!' }), null, pattern)
  }
})

test('SI-02 what would take long is left to the upstream: long texts, many elements, many patterns', () => {
  const slow = { type: 'object', properties: { a: { type: 'string', pattern: '^[a-z]*[a-z]*[a-z]*$' } } }
  assert.equal(reason(slow, { a: '!' }), '`a` must match the pattern ^[a-z]*[a-z]*[a-z]*$')
  assert.equal(reason(slow, { a: `${'a'.repeat(5_000)}!` }), null)
  const numbers = Array.from({ length: 200_000 }, (_, index) => index % 100_000)
  const unique = { type: 'object', properties: { a: { type: 'array', uniqueItems: true } } }
  assert.equal(reason(unique, { a: numbers }), null)
  assert.equal(reason(unique, { a: numbers.slice(0, 100).concat(7) }), '`a` must not have the same element twice')
  const each = { type: 'object', properties: { a: { type: 'array', items: { type: 'string', pattern: '^[a-z]*$' } } } }
  assert.match(reason(each, { a: ['ok', '!'] })!, /`a\[1\]`/)
  const long = Array.from({ length: 2_000 }, () => 'a'.repeat(100))
  assert.equal(reason(each, { a: [...long, `${long[0]}!`] }), null)
})

test('SI-02 formats are annotations, as the dialect has it', () => {
  assert.equal(reason({ type: 'object', properties: { at: { type: 'string', format: 'date' } } }, { at: 'soon' }), null)
})

test('SI-02 a schema that does not compile is told as such', () => {
  assert.throws(() => reason({ type: 'object', properties: { a: { $ref: '#/$defs/gone' } } }, {}), { code: 'CF13012' })
})

test('SI-02 an argument with a long name does not come back in full', () => {
  assert.ok(reason(issue, { title: 'x', ['n'.repeat(5_000)]: 1 })!.length < 200)
})
