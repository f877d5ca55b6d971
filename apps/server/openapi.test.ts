import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { describeComponents } from '@crossfade/http-api/describe-api.ts'
import { type TestServer, testServer } from './testing.ts'

interface Operation {
  readonly operationId?: string
  readonly summary?: string
  readonly description?: string
  readonly tags?: readonly string[]
  readonly security?: readonly object[]
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required?: boolean }[]
  readonly responses: Record<
    string,
    { readonly description: string; readonly content?: Record<string, { schema?: object }> }
  >
}

suite('the OpenAPI description', () => {
  let server: TestServer
  let document: Record<string, never> & {
    readonly paths: Record<string, Record<string, Operation>>
    readonly components: { readonly schemas: Record<string, object> }
    readonly tags: readonly { name: string; description: string }[]
  }
  let operations: readonly { readonly path: string; readonly method: string; readonly operation: Operation }[]
  before(async () => {
    server = await testServer()
    document = (await server.app.inject({ url: '/api/v1/openapi.json' })).json()
    operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
    )
  })
  after(() => server.close())

  test('every operation has a name of its own, a summary, a known tag, and says who may call it', () => {
    const tags = new Set(document.tags.map((tag) => tag.name))
    for (const { path, method, operation } of operations) {
      const where = `${method} ${path}`
      assert.match(operation.operationId ?? '', /^[a-z][A-Za-z]+$/, where)
      assert.ok((operation.summary ?? '').length > 10 && !operation.summary!.endsWith('.'), `${where}: summary`)
      assert.deepEqual(
        operation.tags?.filter((tag) => !tags.has(tag)),
        [],
        where,
      )
      assert.equal(operation.tags?.length, 1, where)
      assert.match(operation.description ?? '', /Needs (no token|the role (viewer|operator|admin))\.$/, where)
    }
    const names = operations.map(({ operation }) => operation.operationId)
    assert.equal(new Set(names).size, names.length)
  })

  test('every operation that can fail documents how, as a Problem', () => {
    for (const { path, method, operation } of operations) {
      if (['/health/live', '/metrics'].includes(path)) continue
      for (const status of ['4XX', '5XX']) {
        const schema = operation.responses[status]?.content?.['application/json']?.schema
        assert.deepEqual(schema, { $ref: '#/components/schemas/Problem' }, `${method} ${path} ${status}`)
      }
    }
  })

  test('every response says what it is, and every success has a body with a schema', () => {
    for (const { path, method, operation } of operations) {
      for (const [status, response] of Object.entries(operation.responses)) {
        assert.ok(
          response.description.length > 10 && response.description !== 'Default Response',
          `${method} ${path} ${status}`,
        )
        assert.ok(
          Object.values(response.content ?? {}).every(({ schema }) => schema !== undefined) && response.content,
          `${method} ${path} ${status}`,
        )
      }
    }
  })

  test('every parameter of a path is declared, and required', () => {
    for (const { path, operation } of operations) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1])
      const declared = operation.parameters
        ?.filter((each) => each.in === 'path' && each.required)
        .map((each) => each.name)
      assert.deepEqual(
        (declared ?? []).toSorted((one, other) => one.localeCompare(other)),
        named.toSorted((one, other) => one!.localeCompare(other!)),
        path,
      )
    }
  })

  test('what is written down more than once is a component, and every reference leads to one', () => {
    const names = Object.keys(document.components.schemas)
    for (const name of [
      'Problem',
      'Migration',
      'MigrationSummary',
      'Mismatch',
      'VerificationReport',
      'JournalEntry',
      'Routing',
    ]) {
      assert.ok(names.includes(name), name)
    }
    const text = JSON.stringify(document)
    assert.ok(!text.includes('def-'))
    for (const [, name] of text.matchAll(/"\$ref":"([^"]+)"/g)) {
      assert.ok(names.includes(name!.replace('#/components/schemas/', '')), name)
    }
  })

  test('open routes ask for no token in the description either', () => {
    const open = operations.filter(({ operation }) => operation.security?.length === 0).map(({ path }) => path)
    assert.deepEqual(open.sort(), ['/health/live', '/health/ready', '/metrics'])
  })

  test('commands document their idempotency key', () => {
    for (const { operation } of operations.filter(({ operation }) => operation.tags?.includes('commands'))) {
      assert.ok(
        operation.parameters?.some((each) => each.name === 'idempotency-key' && each.in === 'header'),
        operation.operationId,
      )
    }
  })
})

test('two different schemas of one name are an error of ours, not a silent choice', () => {
  const response = (type: string) => ({
    responses: { 200: { description: 'x', schema: { title: 'Thing', type } } },
    summary: 's',
  })
  assert.throws(
    () => describeComponents({ paths: { '/a': { get: response('string') }, '/b': { get: response('number') } } }),
    {
      code: 'CF9001',
    },
  )
})
