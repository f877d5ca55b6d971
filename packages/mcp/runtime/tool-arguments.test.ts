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

test('SI-02 formats are annotations, as the dialect has it', () => {
  assert.equal(reason({ type: 'object', properties: { at: { type: 'string', format: 'date' } } }, { at: 'soon' }), null)
})

test('SI-02 a schema that does not compile is told as such', () => {
  assert.throws(() => reason({ type: 'object', properties: { a: { $ref: '#/$defs/gone' } } }, {}), { code: 'CF13012' })
})

test('SI-02 an argument with a long name does not come back in full', () => {
  assert.ok(reason(issue, { title: 'x', ['n'.repeat(5_000)]: 1 })!.length < 200)
})
