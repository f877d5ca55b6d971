import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { compileService } from '../compile-service.ts'
import { loadServices } from '../load-services.ts'
import { portMax, portMin } from '../service-config.ts'
import { servicesDirectory } from '../testing/services-directory.ts'
import { importFile, writeImported } from './import-file.ts'
import { freePort, type ImportOptions, importBytesMax } from './imported-service.ts'
import { importOpenApi } from './openapi.ts'
import { parseDocumentText } from './read-document.ts'
import { importServerJson } from './server-json.ts'

const options: ImportOptions = { portsTaken: new Set() }

const petstoreYaml = `
openapi: 3.1.0
info: { title: My Pet Store, version: '1', description: Sells pets and counts them. }
servers:
  - url: https://{region}.pets.example/v1
    variables: { region: { default: eu, enum: [eu, us] } }
security: [{ key: [] }]
paths:
  /me:
    get: { operationId: whoAmI, responses: { '200': { description: ok } } }
  /pets/{id}:
    get: { operationId: getPet, parameters: [{ $ref: '#/components/parameters/id' }] }
components:
  parameters:
    id: { name: id, in: path, required: true, schema: { type: string } }
  securitySchemes:
    key: { type: apiKey, in: header, name: X-Pet-Key }
`

test('an OpenAPI file in YAML becomes a service that loads and compiles, with what was guessed as findings', () => {
  using directory = servicesDirectory()
  directory.write('source/pets.yaml', petstoreYaml)
  const imported = importFile(join(directory.path, 'source', 'pets.yaml'), options)
  const target = join(directory.path, 'services')
  writeImported(imported, target)
  const { services, findings } = loadServices([target])
  assert.deepEqual(findings, [])
  const [service] = services
  const { config } = service!
  assert.equal(config.serviceType, 'my-pet-store')
  assert.deepEqual(config.auth.type === 'api_key' && config.auth.send, { in: 'header', name: 'X-Pet-Key' })
  assert.deepEqual(config.verification, {
    method: 'GET',
    path: '/me',
    validStatuses: [200],
    invalidStatuses: [401, 403],
  })
  assert.equal(config.variables!['region']!.pattern, '^(?:eu|us)$')
  assert.ok(config.port >= portMin && config.port <= portMax)
  assert.deepEqual(
    compileService(service!).listed.map(({ name }) => name),
    ['whoAmI', 'getPet'],
  )
  assert.ok(imported.findings.some(({ message }) => message.includes('/me')))
})

const schemes: [title: string, scheme: object, auth: object][] = [
  [
    'bearer',
    { type: 'http', scheme: 'bearer' },
    { type: 'api_key', send: { in: 'header', name: 'Authorization', prefix: 'Bearer ' } },
  ],
  ['basic', { type: 'http', scheme: 'basic' }, { type: 'basic_auth' }],
  [
    'key in the query',
    { type: 'apiKey', in: 'query', name: 'k' },
    { type: 'api_key', send: { in: 'query', name: 'k' } },
  ],
  ['key in a cookie', { type: 'apiKey', in: 'cookie', name: 'k' }, { type: 'none' }],
  [
    'authorization code',
    {
      type: 'oauth2',
      flows: {
        authorizationCode: { authorizationUrl: 'https://a.example/auth', tokenUrl: '/token', scopes: { read: '' } },
      },
    },
    { type: 'oauth2', tokenUrl: 'https://api.example/token', scopes: ['read'] },
  ],
  [
    'client credentials',
    { type: 'oauth2', flows: { clientCredentials: { tokenUrl: '/token', scopes: {} } } },
    { type: 'api_key' },
  ],
]

for (const [title, scheme, expected] of schemes) {
  test(`authentication is guessed from the security scheme: ${title}`, () => {
    const raw = {
      openapi: '3.0.0',
      info: { title: 'Thing API' },
      servers: [{ url: 'https://api.example' }],
      paths: { '/a': { get: {} } },
      components: { securitySchemes: { s: scheme } },
    }
    const { auth } = importOpenApi(raw, 't.json', options).config
    assert.partialDeepStrictEqual(auth, expected)
  })
}

test('two keys that are needed together are a key and an additional one', () => {
  const key = (name: string) => ({ type: 'apiKey', in: 'query', name })
  const raw = {
    openapi: '3.0.0',
    info: { title: 'Boards' },
    servers: [{ url: 'https://api.example' }],
    security: [{ a: [], b: [] }],
    paths: { '/a': { get: {} } },
    components: { securitySchemes: { a: key('key'), b: key('token') } },
  }
  const { auth } = importOpenApi(raw, 't.json', options).config
  assert.ok(auth.type === 'api_key')
  assert.deepEqual(
    auth.additional?.map(({ send }) => send),
    [{ in: 'query', name: 'token' }],
  )
})

const serverJson = {
  $schema: 'https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json',
  name: 'com.example/acme-analytics',
  title: 'ACME Analytics',
  description: 'Business figures of ACME, as tools.',
  version: '2.0.0',
  websiteUrl: 'https://acme.example/docs',
  remotes: [
    { type: 'sse', url: 'https://analytics.example.com/sse' },
    {
      type: 'streamable-http',
      url: 'https://{tenant}.example.com/mcp',
      variables: { tenant: { description: 'Your tenant', isRequired: true } },
      headers: [
        { name: 'X-Region', value: 'eu' },
        { name: 'Authorization', value: 'Token {key}', isSecret: true, variables: { key: { description: 'API key' } } },
        { name: 'X-Second', isSecret: true, isRequired: true },
      ],
    },
  ],
}

test('a server.json becomes a remote MCP server: its secret headers are the credential, its variables those of an instance', () => {
  const { config, files } = importServerJson(serverJson, 'server.json', options)
  assert.equal(config.serviceType, 'acme-analytics')
  assert.deepEqual(config.source, { kind: 'remote-mcp', url: 'https://{tenant}.example.com/mcp' })
  assert.ok(config.auth.type === 'api_key')
  assert.deepEqual(config.auth.send, { in: 'header', name: 'Authorization', prefix: 'Token ' })
  assert.equal(config.auth.label, 'API key')
  assert.deepEqual(
    config.auth.additional?.map(({ send }) => send),
    [{ in: 'header', name: 'X-Second' }],
  )
  assert.deepEqual(config.headers, { 'X-Region': 'eu' })
  const tenant = new RegExp(config.variables!['tenant']!.pattern, 'u')
  for (const bad of ['a/b', 'a@b', 'a:1', 'a?b', '..', '.a', 'a.']) assert.equal(tenant.test(bad), false, bad)
  assert.ok(tenant.test('my-tenant.eu'))
  assert.deepEqual(
    files.map(({ path }) => path),
    ['acme-analytics/config.json'],
  )
})

test('a server.json with sse alone says so; one with packages alone is refused', () => {
  const sse = importServerJson({ ...serverJson, remotes: [serverJson.remotes[0]] }, 'server.json', options)
  assert.deepEqual(sse.config.source, {
    kind: 'remote-mcp',
    url: 'https://analytics.example.com/sse',
    transport: 'sse',
  })
  assert.ok(sse.findings.length > 0)
  const packages = { name: 'a/b', version: '1', packages: [{ registryType: 'npm', identifier: 'b' }] }
  assert.throws(() => importServerJson(packages, 'server.json', options), /CF10050|no remote server/)
})

test('references out of the document are told and not followed', () => {
  const raw = {
    openapi: '3.0.0',
    info: { title: 'Outside' },
    servers: [{ url: 'http://api.example' }],
    paths: {
      '/a': {
        post: { requestBody: { content: { 'application/json': { schema: { $ref: 'https://e.example/s.json' } } } } },
      },
    },
  }
  const { findings } = importOpenApi(raw, 't.json', options)
  const text = findings.map(({ message }) => message).join('\n')
  assert.match(text, /e\.example\/s\.json.*not followed/)
  assert.match(text, /unencrypted/)
})

test('bad input is refused by name: no file, no document, no server, too long, references in a circle', () => {
  assert.throws(() => importFile('/nowhere/x.yaml', options), { code: 'CF10050' })
  assert.throws(() => parseDocumentText('{"a": ', 'x.json'), { code: 'CF10050' })
  assert.throws(() => parseDocumentText('a: [1', 'x.yaml'), { code: 'CF10050' })
  assert.throws(() => parseDocumentText('&a [*a]', 'x.yaml'), { code: 'CF10050' })
  assert.throws(() => parseDocumentText(' '.repeat(importBytesMax + 1), 'x.yaml'), { code: 'CF10051' })
  assert.throws(() => importOpenApi({ hello: 1 }, 'x.json', options), { code: 'CF10030' })
  const bare = { openapi: '3.0.0', info: { title: 'Bare' }, paths: { '/a': { get: {} } } }
  assert.throws(() => importOpenApi(bare, 'x.json', options), /names no absolute server/)
  const given = { ...options, baseUrl: 'https://bare.example/' }
  assert.equal(importOpenApi(bare, 'x.json', given).config.baseUrl, 'https://bare.example')
  assert.throws(() => importOpenApi({ ...bare, paths: {} }, 'x.json', given), /no operations/)
  assert.throws(() => importOpenApi(bare, 'x.json', { ...given, serviceType: '../up' }), { code: 'CF10050' })
})

test('a service is replaced only when that is asked for, and nothing of the old one or of the writing is left', () => {
  using directory = servicesDirectory()
  const bare = { openapi: '3.0.0', info: { title: 'Bare' }, paths: { '/a': { get: {} } } }
  const imported = importOpenApi(bare, 'x.json', { ...options, baseUrl: 'https://bare.example' })
  const folder = writeImported(imported, directory.path)
  directory.write('bare/old.txt', 'old')
  assert.throws(() => writeImported(imported, directory.path), { code: 'CF10053' })
  // A process of the same id was killed in the middle of it: its leftovers are in nobody's way, and in nothing new.
  directory.write(`.bare.${process.pid}.partial/operations.json`, 'left')
  directory.write(`.bare.${process.pid}.previous.partial/config.json`, 'left')
  writeImported(imported, directory.path, { replace: true })
  assert.deepEqual(readdirSync(folder).sort(), ['config.json', 'openapi.json'])
  assert.equal(existsSync(join(folder, 'old.txt')), false)
  assert.deepEqual(readdirSync(directory.path), ['bare'])
})

test('a service stays as it was when its replacement can not be written', () => {
  using directory = servicesDirectory()
  const bare = { openapi: '3.0.0', info: { title: 'Bare' }, paths: { '/a': { get: {} } } }
  const imported = importOpenApi(bare, 'x.json', { ...options, baseUrl: 'https://bare.example' })
  const folder = writeImported(imported, directory.path)
  // Nothing to put in its place: taking the old one away has gone well by then.
  assert.throws(() => writeImported({ ...imported, files: [] }, directory.path, { replace: true }))
  assert.deepEqual(readdirSync(folder).sort(), ['config.json', 'openapi.json'])
  assert.deepEqual(readdirSync(directory.path), ['bare'])
})

test('a secret in the address of a remote server is asked for as the key, and is no variable that settings show', () => {
  const remote = {
    type: 'streamable-http',
    url: 'https://{tenant}.example.com/mcp/{token}',
    variables: { tenant: { default: 'eu' }, token: { isSecret: true, description: 'Your token' } },
  }
  const { config } = importServerJson({ name: 'acme/tools', version: '1', remotes: [remote] }, 'server.json', options)
  assert.ok(config.auth.type === 'api_key')
  assert.deepEqual(config.auth.send, { in: 'path', name: 'token' })
  assert.deepEqual(Object.keys(config.variables!), ['tenant'])
})

test('choices of a variable are taken as they are written, whatever their characters mean elsewhere', () => {
  const server = { url: 'https://{host}/v1', variables: { host: { enum: ['a.example', 'b+c'] } } }
  const raw = { openapi: '3.0.0', info: { title: 'Choices' }, servers: [server], paths: { '/a': { get: {} } } }
  const pattern = new RegExp(importOpenApi(raw, 'x.json', options).config.variables!['host']!.pattern, 'u')
  assert.deepEqual(
    ['a.example', 'b+c', 'axexample', 'bbc'].map((text) => pattern.test(text)),
    [true, true, false, false],
  )
})

test('a free port is the same for the same name, and none that is taken', () => {
  const first = freePort('petstore' as never, new Set())
  assert.equal(freePort('petstore' as never, new Set()), first)
  assert.notEqual(freePort('petstore' as never, new Set([first])), first)
  const all = new Set(Array.from({ length: portMax - portMin + 1 }, (_, at) => portMin + at))
  assert.throws(() => freePort('petstore' as never, all), { code: 'CF10054' })
})
