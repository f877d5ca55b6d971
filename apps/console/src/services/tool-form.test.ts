import assert from 'node:assert/strict'
import { test } from 'node:test'
import { argumentFields, readArguments } from './tool-form.ts'

const schema = {
  type: 'object',
  properties: {
    note: { type: 'string', description: 'What it is about' },
    amount: { type: 'number', default: 12.5 },
    page: { type: ['integer', 'null'] },
    open: { type: 'boolean' },
    sort: { type: 'string', enum: ['newest', 'oldest'] },
    level: { type: 'integer', enum: [1, 2] },
    labels: { type: 'array', items: { type: 'string' } },
    either: { anyOf: [{ type: 'string' }, { type: 'object' }] },
    title: { oneOf: [{ type: 'string' }, { type: 'integer' }] },
    maybe: { anyOf: [{ type: 'integer' }, { type: 'null' }] },
    any: {},
    id: { type: 'string' },
  },
  required: ['id'],
}
const fields = argumentFields(schema)
const read = (values: Record<string, string>) => readArguments(fields, values)

test('simple types are fields, everything else is JSON, and what is required comes first', () => {
  assert.deepEqual(
    fields.map(({ name, kind, required }) => `${name}: ${kind}${required ? ', required' : ''}`),
    [
      'id: text, required',
      'note: text',
      'amount: number',
      'page: integer',
      'open: boolean',
      'sort: choice',
      'level: choice',
      'labels: json',
      'either: json',
      'title: text',
      'maybe: integer',
      'any: json',
    ],
  )
  assert.equal(fields.find(({ name }) => name === 'amount')?.placeholder, '12.5')
  assert.equal(fields.find(({ name }) => name === 'labels')?.placeholder, '[ ]')
})

test('values have the types that the schema says; empty fields are left out', () => {
  assert.deepEqual(
    read({
      id: '007',
      note: '',
      amount: '-1.5',
      page: '3',
      open: 'false',
      sort: 'oldest',
      level: '2',
      labels: '["a"]',
    }),
    { given: { id: '007', amount: -1.5, page: 3, open: false, sort: 'oldest', level: 2, labels: ['a'] } },
  )
})

test('what is wrong is told of each field, and nothing is sent', () => {
  const answer = read({ amount: 'much', page: '1.5', open: 'yes', sort: 'none', labels: '[a]' })
  assert.ok('wrong' in answer)
  assert.deepEqual(Object.keys(answer.wrong).sort(), ['amount', 'id', 'labels', 'open', 'page', 'sort'])
})

test('arguments may have any name, and schemas may say nothing', () => {
  const odd = argumentFields(JSON.parse('{"properties":{"__proto__":{"type":"string"},"constructor":true}}'))
  assert.deepEqual(readArguments(odd, JSON.parse('{"__proto__":"x","constructor":"1"}')), {
    given: { ...JSON.parse('{"__proto__":"x"}'), constructor: 1 },
  })
  assert.deepEqual(argumentFields({}), [])
})
