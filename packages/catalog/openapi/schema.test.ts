import assert from 'node:assert/strict'
import { test } from 'node:test'
import { definitionsOf } from './definitions.ts'
import { openDocument } from './document.ts'
import { boundedText, operationText, plainText } from './plain-text.ts'
import { convertSchema } from './schema.ts'

const document = openDocument({ openapi: '3.0.0', paths: {}, components: { schemas: { A: { type: 'object' } } } }, 't')
const convert = (schema: unknown) => convertSchema(schema, definitionsOf(document).context)

const conversions: [title: string, from: unknown, to: unknown][] = [
  ['nullable', { type: 'string', nullable: true }, { type: ['string', 'null'] }],
  ['nullable enum', { type: 'string', nullable: true, enum: ['a'] }, { type: ['string', 'null'], enum: ['a', null] }],
  [
    'nullable reference',
    { $ref: '#/components/schemas/A', nullable: true },
    { anyOf: [{ $ref: '#/$defs/A' }, { type: 'null' }] },
  ],
  ['boolean exclusiveMinimum', { minimum: 1, exclusiveMinimum: true }, { exclusiveMinimum: 1 }],
  ['numeric exclusiveMaximum', { maximum: 9, exclusiveMaximum: 8 }, { maximum: 9, exclusiveMaximum: 8 }],
  ['example', { type: 'string', example: 'x' }, { type: 'string', examples: ['x'] }],
  ['unknown keywords', { type: 'string', xml: {}, 'x-a': 1, discriminator: {}, externalDocs: {} }, { type: 'string' }],
  ['format', { type: 'string', format: 'date-time' }, { type: 'string', format: 'date-time' }],
  ['file', { type: 'file' }, { type: 'string', format: 'binary' }],
  ['unknown type', { type: 'any' }, {}],
  ['type left out', { properties: { a: {} } }, { type: 'object', properties: { a: {} } }],
  [
    'tuple of 3.0',
    { type: 'array', items: [{ type: 'string' }] },
    { type: 'array', prefixItems: [{ type: 'string' }] },
  ],
  ['oneOf', { oneOf: [{ type: 'string' }, { type: 'integer' }] }, { anyOf: [{ type: 'string' }, { type: 'integer' }] }],
  ['allOf of one', { description: 'd', allOf: [{ type: 'string' }] }, { description: 'd', type: 'string' }],
  [
    'closed parts of allOf',
    {
      allOf: [
        { properties: { a: {} }, additionalProperties: false },
        { properties: { b: {} }, additionalProperties: false },
      ],
    },
    {
      allOf: [
        { type: 'object', properties: { a: {} } },
        { type: 'object', properties: { b: {} } },
      ],
    },
  ],
  ['pattern that no validator takes', { type: 'string', pattern: '^(?i)a[' }, { type: 'string' }],
  ['enum of numbers in quotes', { type: 'integer', enum: ['1', '2'] }, { type: 'integer', enum: [1, 2] }],
  ['enum of a text without quotes', { type: 'string', enum: [true, 'x'] }, { type: 'string', enum: ['true', 'x'] }],
  ['default that does not fit', { type: 'integer', default: 'none' }, { type: 'integer' }],
  ['negative length', { type: 'string', minLength: -1 }, { type: 'string' }],
  ['required that is a boolean', { type: 'object', required: true }, { type: 'object' }],
  [
    'a member called default',
    { properties: { default: { type: 'string' } } },
    { type: 'object', properties: { default: { type: 'string' } } },
  ],
  ['types of 3.1', { type: ['string', 'null'] }, { type: ['string', 'null'] }],
  [
    'read-only member',
    { properties: { a: { readOnly: true }, b: {} }, required: ['a', 'b'] },
    { type: 'object', properties: { b: {} }, required: ['b'] },
  ],
]

for (const [title, from, to] of conversions) {
  test(`OpenAPI's schema as JSON Schema: ${title}`, () => assert.deepEqual(convert(from), to))
}

test('a reference that leads nowhere accepts any value', () => {
  assert.equal('$ref' in convert({ $ref: '#/components/schemas/Gone' }), false)
  assert.equal('$ref' in convert({ $ref: 'https://elsewhere.example/schema.json' }), false)
})

test('a definition that is used once stands where it is used; where both say something, both hold', () => {
  const raw = {
    openapi: '3.0.0',
    paths: {},
    components: { schemas: { A: { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] } } },
  }
  const definitions = definitionsOf(openDocument(raw, 't'))
  const schema = convertSchema(
    { properties: { x: { properties: { b: {} }, allOf: [{ $ref: '#/components/schemas/A' }] } } },
    definitions.context,
  )
  assert.deepEqual(definitions.enclose(schema), {
    type: 'object',
    properties: {
      x: {
        type: 'object',
        properties: { b: {} },
        allOf: [{ type: 'object', properties: { a: { type: 'string' } }, required: ['a'] }],
      },
    },
  })
})

test('descriptions lose HTML and Markdown, keep the words of links, and end with a sentence', () => {
  const text =
    '<p>Makes a <b>thing</b>.</p>\n\n## Notes\n[The docs](https://x.example) say `so` &amp; **more**.\n```\ncode\n```\n| a | b |'
  assert.equal(plainText(text), 'Makes a thing . Notes The docs say so & more.'.replace('thing .', 'thing .'))
  assert.equal(boundedText('One sentence here. Another one that is too long to fit.', 30), 'One sentence here.')
  assert.match(boundedText('word '.repeat(50), 30), /^(word ){4,5}word…$/)
  assert.equal(operationText('Get a thing', 'Get a thing by its id.'), 'Get a thing by its id.')
  assert.equal(operationText('Get a thing', 'Needs a scope.'), 'Get a thing. Needs a scope.')
})
