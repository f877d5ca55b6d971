import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Tool } from '../catalog.ts'
import { asObject } from '../json-value.ts'
import { schemaCheck } from '../schema-check.ts'
import type { ServiceConfig } from '../service-config.ts'
import { compileOpenApi } from './compile.ts'
import { nameFromPath } from './names.ts'

const keyInHeader: ServiceConfig['auth'] = {
  type: 'api_key',
  label: 'Key',
  help: 'In the settings.',
  send: { in: 'header', name: 'X-Secret' },
}

function toolsOf(document: object, config: Partial<ServiceConfig> = {}): Tool[] {
  const whole = { openapi: '3.0.3', info: { title: 'T', version: '1' }, ...document }
  const service = { auth: { type: 'none' } as const, baseUrl: 'https://api.example.com', ...config }
  return compileOpenApi(whole, { config: service, file: 'test.json' }).map(({ tool }) => tool)
}

function toolOf(operation: object, more: object = {}, config: Partial<ServiceConfig> = {}): Tool {
  const [method = 'post'] = Object.keys(operation)
  return toolsOf({ paths: { '/things/{id}': { [method]: Object.values(operation)[0] } }, ...more }, config)[0]!
}

function body(schema: object, type = 'application/json'): object {
  return { operationId: 'make', requestBody: { required: true, content: { [type]: { schema } } } }
}

const argumentsOf = (tool: Tool) => asObject(tool.inputSchema['properties']) as Record<string, Record<string, unknown>>

test('an operation without an id is named after its method and path', () => {
  assert.equal(nameFromPath('GET', '/repos/{owner}/issues.json'), 'get_repos_owner_issues_json')
  const [tool] = toolsOf({ paths: { '/repos/{owner}/issues': { get: { responses: {} } } } })
  assert.equal(tool!.name, 'get_repos_owner_issues')
})

test('ids with characters that clients refuse, long ids and equal ids give valid, unique, stable names', () => {
  const long = 'x'.repeat(90)
  const paths = {
    '/a': { get: { operationId: 'repos/get all' }, post: { operationId: 'repos/get_all' } },
    '/b': { get: { operationId: `${long}a` }, post: { operationId: `${long}b` } },
    '/c': { get: { operationId: 'same' }, post: { operationId: 'same' } },
    '/d': { get: { operationId: 'gmail.users.list' }, post: { operationId: '§§§' } },
  }
  const names = toolsOf({ paths }).map((tool) => tool.name)
  assert.equal(new Set(names).size, names.length)
  for (const name of names) assert.match(name, /^[A-Za-z0-9_-]{1,64}$/)
  assert.equal(names[0], 'repos_get_all')
  assert.equal(names[6], 'gmail_users_list')
  assert.deepEqual(
    toolsOf({ paths }).map((tool) => tool.name),
    names,
  )
})

test('a name in two places gives two arguments, and names that clients refuse are changed, not those on the wire', () => {
  const tool = toolOf({
    post: {
      operationId: 'x',
      parameters: [
        { name: 'id', in: 'query', schema: { type: 'integer' } },
        { name: 'filter[name]', in: 'query', schema: { type: 'string' } },
        { name: '$top', in: 'query', schema: { type: 'integer' } },
      ],
      requestBody: { content: { 'application/json': { schema: { properties: { id: { type: 'boolean' } } } } } },
    },
  })
  assert.deepEqual(Object.keys(argumentsOf(tool)), ['id', 'id_query', 'filter_name', 'top', 'id_body'])
  assert.deepEqual(
    tool.call.parameters.map(({ argument, name, in: place }) => [argument, name, place]),
    [
      ['id', 'id', 'path'],
      ['id_query', 'id', 'query'],
      ['filter_name', 'filter[name]', 'query'],
      ['top', '$top', 'query'],
    ],
  )
  assert.ok(tool.call.body?.kind === 'members')
  assert.deepEqual(tool.call.body.members, [{ argument: 'id_body', name: 'id' }])
})

test('a path parameter that is not declared is a required text', () => {
  const tool = toolOf({ get: { operationId: 'x' } })
  assert.deepEqual(tool.inputSchema['required'], ['id'])
  assert.equal(argumentsOf(tool)['id']!['type'], 'string')
})

test('nothing that carries a credential is an argument', () => {
  const parameters = [
    { name: 'Authorization', in: 'header', schema: { type: 'string' } },
    { name: 'X-Secret', in: 'header', schema: { type: 'string' } },
    { name: 'token', in: 'header', required: true, description: 'Authentication token. Requires scope.', schema: {} },
    { name: 'key', in: 'query', description: 'Generate your application key', schema: {} },
    { name: 'session', in: 'query', schema: {} },
    { name: 'access_token', in: 'query', schema: {} },
    { name: 'api-version', in: 'header', schema: {} },
    { name: 'key', in: 'header', description: 'Name of the setting', schema: {} },
  ]
  const securitySchemes = { s: { type: 'apiKey', in: 'query', name: 'session' } }
  const tool = toolOf(
    { get: { operationId: 'x', parameters } },
    { components: { securitySchemes } },
    {
      auth: keyInHeader,
      headers: { 'Api-Version': '2' },
    },
  )
  assert.deepEqual(Object.keys(argumentsOf(tool)), ['id', 'key'])
})

test('members of a form that carry the credential are no arguments either', () => {
  const schema = {
    properties: { token: { type: 'string', description: 'Authentication token.' }, text: { type: 'string' } },
  }
  const tool = toolOf({ post: body(schema, 'application/x-www-form-urlencoded') })
  assert.deepEqual(Object.keys(argumentsOf(tool)), ['id', 'text'])
})

test('M10 a schema that refers to itself keeps the reference, and compiles', () => {
  const components = {
    schemas: {
      Node: {
        type: 'object',
        properties: {
          name: { type: 'string' },
          children: { type: 'array', items: { $ref: '#/components/schemas/Node' } },
        },
      },
    },
  }
  const tool = toolOf({ post: body({ properties: { root: { $ref: '#/components/schemas/Node' } } }) }, { components })
  assert.deepEqual(argumentsOf(tool)['root'], { $ref: '#/$defs/Node' })
  const node = (tool.inputSchema['$defs'] as Record<string, Record<string, unknown>>)['Node']!
  assert.deepEqual((node['properties'] as Record<string, unknown>)['children'], {
    type: 'array',
    items: { $ref: '#/$defs/Node' },
  })
  assert.equal(schemaCheck()(tool.inputSchema), null)
})

test('M10 circles at one place are opened: a base that is one of its own kinds, a reference to itself', async () => {
  const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` })
  const components = {
    schemas: {
      Pet: { type: 'object', properties: { kind: { type: 'string' } }, oneOf: [ref('Cat'), ref('Dog')] },
      Cat: { allOf: [ref('Pet'), { properties: { lives: { type: 'integer' } } }] },
      Dog: { allOf: [ref('Pet'), { properties: { bark: { type: 'string' } } }] },
      Self: ref('Self'),
    },
  }
  const tool = toolOf({ post: body({ properties: { pet: ref('Pet'), self: ref('Self') } }) }, { components })
  const { Ajv2020 } = await import('ajv/dist/2020.js')
  const validate = new Ajv2020({ strict: false }).compile(tool.inputSchema)
  assert.equal(validate({ id: '1', pet: { kind: 'cat', lives: 9 }, self: 1 }), true)
  assert.equal(validate({ id: '1', pet: { kind: 'cat', lives: 'nine', bark: 5 } }), false)
})

test('what has more definitions or bytes than a schema may have is cut to permissive parts that say so', () => {
  const schemas: Record<string, object> = {}
  for (let number = 0; number < 400; number++) {
    const properties = Object.fromEntries(
      Array.from({ length: 12 }, (_, at) => [`member${at}`, { type: 'string', description: 'Some words '.repeat(12) }]),
    )
    const next = { $ref: `#/components/schemas/S${(number + 1) % 400}` }
    schemas[`S${number}`] = { type: 'object', properties: { ...properties, next, other: next } }
  }
  const tool = toolOf(
    { post: body({ properties: { first: { $ref: '#/components/schemas/S0' } } }) },
    {
      components: { schemas },
    },
  )
  const text = JSON.stringify(tool.inputSchema)
  assert.ok(text.length <= 25_000, `${text.length} bytes`)
  assert.match(text, /left out here for its size/)
  assert.equal(schemaCheck()(tool.inputSchema), null)
})

test('an object with thousands of members stays callable: required ones are kept, and it is open', () => {
  const members = Array.from({ length: 3000 }, (_, at) => [
    `member${at}`,
    { type: 'string', description: 'words words' },
  ])
  const schema = { properties: Object.fromEntries(members), required: ['member2999'] }
  const tool = toolOf({ post: body(schema) })
  assert.ok(JSON.stringify(tool.inputSchema).length <= 25_000)
  assert.ok('member2999' in argumentsOf(tool))
  assert.equal(tool.inputSchema['additionalProperties'], true)
})

test('an object body becomes arguments through references and allOf, without what is read-only', () => {
  const components = {
    schemas: {
      Base: {
        properties: { id: { type: 'string', readOnly: true }, name: { type: 'string' } },
        required: ['id', 'name'],
      },
      Made: { readOnly: true, type: 'string' },
    },
  }
  const schema = {
    allOf: [
      { $ref: '#/components/schemas/Base' },
      { properties: { size: { type: 'integer' }, made: { $ref: '#/components/schemas/Made' } }, required: ['size'] },
    ],
  }
  const tool = toolOf({ post: body(schema) }, { components })
  assert.deepEqual(Object.keys(argumentsOf(tool)), ['id', 'name', 'size'])
  assert.deepEqual(tool.inputSchema['required'], ['id', 'name', 'size'])
  assert.ok(tool.call.body?.kind === 'members')
  assert.deepEqual(
    tool.call.body.members.map((member) => member.name),
    ['name', 'size'],
  )
})

test('a body that is no flat object is one argument: arrays, choices, maps, text and bytes', () => {
  const kinds: [object, string, string][] = [
    [{ type: 'array', items: { type: 'string' } }, 'application/json', 'json'],
    [{ oneOf: [{ properties: { a: {} } }, { properties: { b: {} } }] }, 'application/json', 'json'],
    [{ type: 'object', additionalProperties: { type: 'string' } }, 'application/json', 'json'],
    [{ type: 'object' }, 'application/xml', 'text'],
    [{ type: 'string', format: 'binary' }, 'application/octet-stream', 'base64'],
    [{ type: 'string' }, 'image/png', 'base64'],
  ]
  for (const [schema, type, encoding] of kinds) {
    const { call, inputSchema } = toolOf({ post: body(schema, type) })
    assert.ok(call.body?.kind === 'whole', type)
    assert.equal(call.body.encoding, encoding, type)
    assert.equal(call.body.argument, 'body')
    assert.deepEqual(inputSchema['required'], ['id', 'body'])
  }
})

test('of several media types JSON is taken, then forms; a multipart file is base64', () => {
  const schema = { properties: { a: { type: 'string' } } }
  const content = {
    'application/xml': { schema },
    'multipart/form-data': { schema },
    'application/vnd.x+json': { schema },
  }
  const json = toolOf({ post: { operationId: 'x', requestBody: { content } } })
  assert.equal(json.call.body?.contentType, 'application/vnd.x+json')
  const upload = {
    properties: {
      file: { type: 'string', format: 'binary' },
      files: { type: 'array', items: { format: 'binary' } },
      note: { type: 'string' },
    },
  }
  const multipart = toolOf({ post: body(upload, 'multipart/form-data') })
  assert.ok(multipart.call.body?.kind === 'members')
  assert.equal(multipart.call.body.encoding, 'multipart')
  assert.deepEqual(multipart.call.body.members, [
    { argument: 'file', name: 'file', binary: true },
    { argument: 'files', name: 'files', binary: true },
    { argument: 'note', name: 'note' },
  ])
  assert.equal(argumentsOf(multipart)['file']!['contentEncoding'], 'base64')
})

test('Swagger 2.0: body, form, files, collection formats, host and base path', () => {
  const document = {
    swagger: '2.0',
    openapi: undefined,
    host: 'api.example.com',
    basePath: '/v1',
    consumes: ['application/json'],
    definitions: { Pet: { properties: { name: { type: 'string' } }, required: ['name'] } },
    paths: {
      '/pets': {
        post: {
          operationId: 'addPet',
          parameters: [{ in: 'body', name: 'pet', required: true, schema: { $ref: '#/definitions/Pet' } }],
        },
        get: {
          operationId: 'findPets',
          parameters: [
            { in: 'query', name: 'tags', type: 'array', items: { type: 'string' }, collectionFormat: 'multi' },
            { in: 'query', name: 'ids', type: 'array', items: { type: 'integer' } },
            { in: 'query', name: 'ssv', type: 'array', items: { type: 'string' }, collectionFormat: 'ssv' },
            { in: 'query', name: 'tsv', type: 'array', items: { type: 'string' }, collectionFormat: 'tsv' },
            { in: 'query', name: 'pipes', type: 'array', items: { type: 'string' }, collectionFormat: 'pipes' },
            { in: 'header', name: 'X-Multi', type: 'array', items: { type: 'string' }, collectionFormat: 'multi' },
            { in: 'header', name: 'X-Pipes', type: 'array', items: { type: 'string' }, collectionFormat: 'pipes' },
          ],
        },
      },
      '/upload': {
        post: {
          operationId: 'upload',
          parameters: [
            { in: 'formData', name: 'file', type: 'file', required: true },
            { in: 'formData', name: 'tags', type: 'array', items: { type: 'string' } },
            { in: 'formData', name: 'each', type: 'array', items: { type: 'string' }, collectionFormat: 'multi' },
          ],
        },
      },
    },
  }
  const [find, add, upload] = toolsOf(document)
  assert.deepEqual(add!.inputSchema['required'], ['name'])
  assert.deepEqual(
    find!.call.parameters.map(({ style, explode }) => [style, explode]),
    [
      ['form', true],
      ['form', false],
      ['spaceDelimited', false],
      ['tabDelimited', false],
      ['pipeDelimited', false],
      ['simple', false],
      ['pipeDelimited', false],
    ],
  )
  assert.ok(upload!.call.body?.kind === 'members')
  assert.equal(upload!.call.body.encoding, 'multipart')
  assert.deepEqual(upload!.call.body.members, [
    { argument: 'file', name: 'file', binary: true },
    { argument: 'tags', name: 'tags', style: 'form', explode: false },
    { argument: 'each', name: 'each', style: 'form', explode: true },
  ])
})

test('members of forms keep what their encoding says: one of style, explode and allowReserved makes contentType nothing', () => {
  const media = {
    schema: {
      type: 'object',
      properties: {
        plain: { type: 'object' },
        deep: { type: 'object' },
        spread: { type: 'array', items: { type: 'string' } },
        raw: { type: 'string' },
        json: { type: 'string' },
        report: { type: 'object', properties: { a: {} }, description: 'As XML.' },
        odd: { type: 'string' },
      },
    },
    encoding: {
      deep: { style: 'deepObject', explode: true, contentType: 'application/json' },
      spread: { explode: false },
      raw: { allowReserved: true },
      json: { contentType: 'application/json' },
      report: { contentType: 'application/xml; charset=utf-8' },
      odd: { contentType: 'text/plain\r\nx-evil: 1' },
    },
  }
  const tool = toolOf({ post: { requestBody: { content: { 'application/x-www-form-urlencoded': media } } } })
  assert.ok(tool.call.body?.kind === 'members')
  assert.deepEqual(tool.call.body.members, [
    { argument: 'plain', name: 'plain' },
    { argument: 'deep', name: 'deep', style: 'deepObject', explode: true },
    { argument: 'spread', name: 'spread', style: 'form', explode: false },
    { argument: 'raw', name: 'raw', style: 'form', explode: true, allowReserved: true },
    { argument: 'json', name: 'json', contentType: 'application/json' },
    { argument: 'report', name: 'report', contentType: 'application/xml; charset=utf-8' },
    { argument: 'odd', name: 'odd' },
  ])
  // Nobody turns an object into XML here: the caller writes it.
  assert.deepEqual(argumentsOf(tool)['report'], {
    type: 'string',
    contentMediaType: 'application/xml; charset=utf-8',
    description: 'As XML.',
  })
})

test('a service whose forms are bracketed has its lists and objects written so, where the description says nothing', () => {
  const media = {
    schema: {
      properties: {
        tags: { type: 'array' },
        'ids[]': { type: 'array' },
        json: { type: 'object' },
        file: { type: 'string', format: 'binary' },
      },
    },
    encoding: { json: { contentType: 'application/json' } },
  }
  const tool = toolOf(
    { post: { requestBody: { content: { 'multipart/form-data': media } } } },
    {},
    { bracketedForms: true },
  )
  assert.ok(tool.call.body?.kind === 'members')
  assert.deepEqual(tool.call.body.members, [
    { argument: 'tags', name: 'tags', style: 'deepObject', explode: true },
    { argument: 'ids', name: 'ids[]' },
    { argument: 'json', name: 'json', contentType: 'application/json' },
    { argument: 'file', name: 'file', binary: true },
  ])
})

test('files of a multipart form: said by format, by media type, by name, or by a schema that says nothing', () => {
  const media = {
    schema: {
      type: 'object',
      properties: {
        photo: { description: 'The picture' },
        file: { type: 'string', description: 'What Stripe calls a text.' },
        several: { type: 'array', items: {} },
        bill: { type: 'string' },
        logo: { type: 'string', contentMediaType: 'image/png' },
        encoded: { type: 'string', contentMediaType: 'image/png', contentEncoding: 'base64' },
        csv: { type: 'string' },
        meta: {},
      },
    },
    encoding: {
      bill: { contentType: 'application/pdf' },
      csv: { contentType: 'text/csv' },
      meta: { contentType: 'application/json' },
    },
  }
  const tool = toolOf({ post: { requestBody: { content: { 'multipart/form-data': media } } } })
  assert.ok(tool.call.body?.kind === 'members')
  const files = tool.call.body.members.filter(({ binary }) => binary).map(({ name }) => name)
  assert.deepEqual(files, ['photo', 'file', 'several', 'bill', 'logo'])
  assert.equal(argumentsOf(tool)['photo']!['contentEncoding'], 'base64')
})

test("an operation's own server is its base URL, with defaults of undeclared variables", () => {
  const paths = {
    '/a': { get: { servers: [{ url: 'https://uploads.example.com/' }] } },
    '/b': { get: { servers: [{ url: 'https://{region}.example.com', variables: { region: { default: 'eu' } } }] } },
    '/c': { get: { servers: [{ url: 'https://{host}' }] } },
    '/d': { get: { servers: [{ url: '/v9' }] } },
    '/e': { get: {} },
  }
  const urls = toolsOf({ paths, servers: [{ url: 'https://other.example.com' }] }).map(({ call }) => call.baseUrl)
  assert.deepEqual(urls, [
    'https://uploads.example.com',
    'https://eu.example.com',
    undefined,
    'https://api.example.com/v9',
    undefined,
  ])
})

test('annotations follow the method, and words that destroy', () => {
  const operation = (operationId: string) => ({ operationId })
  const paths = {
    '/a': { get: operation('a'), put: operation('b'), delete: operation('c'), post: operation('chat_delete') },
  }
  const hints = toolsOf({ paths }).map(({ name, annotations: { readOnlyHint, destructiveHint, idempotentHint } }) => [
    name,
    readOnlyHint,
    destructiveHint,
    idempotentHint,
  ])
  assert.deepEqual(hints, [
    ['a', true, false, true],
    ['chat_delete', false, true, false],
    ['b', false, false, true],
    ['c', false, true, true],
  ])
})

test('a query that is written into a path becomes arguments, a fixed one stays, a fragment goes', () => {
  const parameters = [{ name: 'q', in: 'path', required: true, schema: { type: 'string' } }]
  const paths = { '/search?text={q}&kind=all': { get: { operationId: 's', parameters } }, '/#Action=List': { get: {} } }
  const [search, list] = toolsOf({ paths })
  assert.equal(search!.call.path, '/search?kind=all')
  assert.deepEqual(
    search!.call.parameters.map(({ argument, name, in: place }) => [argument, name, place]),
    [['text', 'text', 'query']],
  )
  assert.equal(list!.call.path, '/')
})

test('parameters with content are one text; styles and reserved characters are kept; a style that its place lacks is its default', () => {
  const parameters = [
    { name: 'filter', in: 'query', content: { 'application/json': { schema: { type: 'object' } } } },
    { name: 'where', in: 'query', style: 'deepObject', explode: true, schema: { type: 'object' } },
    { name: 'raw', in: 'query', allowReserved: true, schema: { type: 'string' } },
    { name: 'plain', in: 'query', content: { 'text/plain': { schema: {} } } },
    { name: 'commas', in: 'query', style: 'simple', schema: { type: 'array' } },
    { name: 'X-Ids', in: 'header', style: 'form', explode: true, schema: { type: 'array' } },
  ]
  const call = toolOf({ get: { operationId: 'x', parameters } }).call
  const [, filter, where, raw, plain, commas, ids] = call.parameters
  assert.deepEqual([filter!.content, plain!.content, raw!.content], ['json', 'text', undefined])
  assert.deepEqual([commas!.style, commas!.explode], ['form', false])
  assert.deepEqual([ids!.style, ids!.explode], ['simple', true])
  assert.deepEqual([where!.style, where!.explode], ['deepObject', true])
  assert.equal(raw!.allowReserved, true)
})

test('a digest changes with what a client is told, and with nothing else', () => {
  const one = toolOf({ get: { operationId: 'x', description: 'Gets it.' } })
  const moved = toolOf({ get: { description: 'Gets it.', operationId: 'x' } }, {}, { baseUrl: 'https://other.example' })
  const other = toolOf({ get: { operationId: 'x', description: 'Gets it and ignores all else.' } })
  assert.equal(one.digest, moved.digest)
  assert.notEqual(one.digest, other.digest)
})

test('what is no OpenAPI document is refused by name', () => {
  const config = { auth: { type: 'none' as const }, baseUrl: 'https://x.example' }
  for (const raw of [null, [], {}, { openapi: '4.0.0', paths: {} }, { openapi: '3.0.0' }]) {
    assert.throws(() => compileOpenApi(raw, { config, file: 'bad.json' }), { code: 'CF10030' })
  }
})
