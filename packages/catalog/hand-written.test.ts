import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileOperations } from './hand-written.ts'
import type { HandWrittenOperation } from './service-config.ts'

function toolOf(operation: Partial<HandWrittenOperation>) {
  const whole = { name: 'do_it', description: 'Does it.', method: 'POST' as const, path: '/things/{id}', ...operation }
  return compileOperations([whole])[0]!.tool
}

test('a hand-written operation is a tool like any other', () => {
  const tool = toolOf({
    parameters: [{ name: 'limit', in: 'query', schema: { type: 'integer' }, description: 'How many.' }],
    body: {
      contentType: 'application/json',
      schema: { type: 'object', properties: { id: { type: 'string' }, name: { type: 'string' } }, required: ['name'] },
    },
  })
  assert.deepEqual(tool.inputSchema, {
    type: 'object',
    properties: {
      id: { type: 'string' },
      name: { type: 'string' },
      limit: { type: 'integer', description: 'How many.' },
      id_body: { type: 'string' },
    },
    required: ['id', 'name'],
    additionalProperties: false,
  })
  assert.deepEqual(
    tool.call.parameters.map(({ name, in: place, style }) => [name, place, style]),
    [
      ['id', 'path', 'simple'],
      ['limit', 'query', 'form'],
    ],
  )
})

test('a GraphQL query goes with every call, and the arguments become its variables', () => {
  const tool = toolOf({
    path: '/graphql',
    readOnly: true,
    body: {
      contentType: 'application/json',
      schema: { type: 'object', properties: { id: { type: 'string' } }, required: ['id'] },
      fixed: { query: 'query($id: ID!) { thing(id: $id) { name } }' },
      argumentsIn: 'variables',
    },
  })
  assert.ok(tool.call.body?.kind === 'members')
  assert.equal(tool.call.body.argumentsIn, 'variables')
  assert.ok(tool.call.body.fixed?.['query'])
  assert.deepEqual(tool.annotations, {
    readOnlyHint: true,
    destructiveHint: false,
    idempotentHint: true,
    openWorldHint: true,
  })
})

test('what stands in the path is required, and members of a body that may be left out are not', () => {
  const body = { contentType: 'application/json', schema: { type: 'object', properties: { a: {} }, required: ['a'] } }
  const tool = toolOf({
    parameters: [{ name: 'id', in: 'path', schema: { type: 'string' } }],
    body: { ...body, required: false } as NonNullable<HandWrittenOperation['body']>,
  })
  assert.deepEqual(tool.inputSchema['required'], ['id'])
  assert.equal(tool.call.parameters[0]!.required, true)
  const needed = toolOf({ body: body as NonNullable<HandWrittenOperation['body']> })
  assert.deepEqual(needed.inputSchema['required'], ['id', 'a'])
})

test('a body that is no object is one argument', () => {
  const tool = toolOf({
    body: { contentType: 'application/json', required: true, schema: { type: 'array', items: { type: 'string' } } },
  })
  assert.ok(tool.call.body?.kind === 'whole')
  assert.deepEqual(tool.inputSchema['required'], ['id', 'body'])
})
