// The compiler on descriptions as they are published.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { descriptionFile } from '../api-directory.ts'
import { asObject, asText } from '../json-value.ts'
import { schemaCheck } from '../schema-check.ts'
import { type CompiledOperation, compileOpenApi } from './compile.ts'
import circular from './fixtures/circular-descriptions.json' with { type: 'json' }

/** Compiling schemas takes most of the time: of those that still refer to definitions every so many are compiled. */
const schemaStep = 80

function read(api: string): unknown {
  return JSON.parse(readFileSync(descriptionFile(api), 'utf8'))
}

function compile(api: string, raw = read(api)): CompiledOperation[] {
  const config = { auth: { type: 'none' as const }, baseUrl: 'https://api.example.com' }
  return compileOpenApi(raw, { config, file: api })
}

test('M10 every circular description loads, with valid unique names and self-contained schemas', () => {
  const check = schemaCheck()
  let withDefinitions = 0
  for (const api of circular) {
    const operations = compile(api)
    assert.ok(operations.length > 0, api)
    assert.equal(new Set(operations.map(({ tool }) => tool.name)).size, operations.length, api)
    for (const { tool } of operations) {
      assert.match(tool.name, /^[A-Za-z0-9_-]{1,64}$/, api)
      if (!('$defs' in tool.inputSchema) || withDefinitions++ % schemaStep !== 0) continue
      assert.equal(check(tool.inputSchema), null, `${api} ${tool.name}`)
    }
  }
  assert.ok(circular.length >= 51)
  assert.ok(withDefinitions > 500, `${withDefinitions} schemas with definitions`)
})

test('GitHub: ids with slashes become names, uploads go to their own host, unions without members are whole bodies', () => {
  const byId = new Map(compile('github.com/api.github.com').map(({ operationId, tool }) => [operationId, tool]))
  assert.equal(byId.get('issues/create')!.name, 'issues_create')
  const upload = byId.get('repos/upload-release-asset')!
  assert.match(upload.call.baseUrl ?? '', /uploads\.github\.com/)
  assert.ok(upload.call.body?.kind === 'whole' && upload.call.body.encoding === 'base64')
  const create = byId.get('issues/create')!
  assert.deepEqual(create.inputSchema['required'], ['owner', 'repo', 'title'])
})

test('Slack and Trello: their credentials are no arguments, though every operation declares them', () => {
  for (const [api, names] of [
    ['slack.com', ['token']],
    ['trello.com', ['key', 'token']],
  ] as const) {
    for (const { tool } of compile(api)) {
      const given = tool.call.parameters.filter(
        ({ name, in: place }) => place !== 'path' && names.includes(name as never),
      )
      assert.deepEqual(given, [], `${api} ${tool.name}`)
    }
  }
})

test('requests that descriptions give as examples fit the schemas made of them', () => {
  let examples = 0
  const refused: string[] = []
  const validator = new Ajv2020({ strict: false, validateFormats: false, code: { optimize: false } })
  for (const api of [
    'github.com/api.github.com',
    'digitalocean.com',
    'airbyte.local/config',
    'notion.com',
    'vimeo.com',
  ]) {
    const raw = read(api)
    const tools = new Map(compile(api, raw).map(({ operationId, tool }) => [operationId, tool]))
    for (const { operationId, example } of exampleBodies(raw).slice(0, 25)) {
      const tool = tools.get(operationId)
      if (tool?.call.body?.contentType !== 'application/json') continue
      const { call, inputSchema } = tool
      const { required: _, ...schema } = inputSchema
      const given =
        call.body?.kind === 'members'
          ? call.body.members.flatMap(({ argument, name }) => (name in example ? [[argument, example[name]]] : []))
          : [[call.body!.argument, example]]
      examples++
      if (!validator.compile(schema)(Object.fromEntries(given))) refused.push(`${api} ${tool.name}`)
    }
  }
  assert.ok(examples >= 50, `${examples} examples`)
  // Some examples contradict their own descriptions.
  assert.ok(refused.length <= examples / 10, refused.join(', '))
})

/** JSON bodies that a description gives as examples, by the ids of their operations. */
function exampleBodies(raw: unknown): { operationId: string; example: Record<string, unknown> }[] {
  const found: { operationId: string; example: Record<string, unknown> }[] = []
  for (const item of Object.values(asObject(asObject(raw)?.['paths']) ?? {})) {
    for (const each of Object.values(asObject(item) ?? {})) {
      const operation = asObject(each)
      const media = asObject(asObject(asObject(operation?.['requestBody'])?.['content'])?.['application/json'])
      const named = Object.values(asObject(media?.['examples']) ?? {})[0]
      const example = asObject(media?.['example'] ?? asObject(named)?.['value'])
      if (operation && example) found.push({ operationId: asText(operation['operationId']), example })
    }
  }
  return found
}
