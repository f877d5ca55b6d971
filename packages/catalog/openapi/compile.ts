// An OpenAPI document as MCP tools: plain data, the same for the same document.
import type { HttpCall, JsonSchema, Tool } from '../catalog.ts'
import { asArray, asObject, asText, type JsonObject } from '../json-value.ts'
import type { ServiceConfig } from '../service-config.ts'
import { withDigest } from '../tool-digest.ts'
import { annotationsOf } from './annotations.ts'
import { compileBody } from './body.ts'
import { credentialPlaces } from './credential-places.ts'
import { type Definitions, definitionsOf } from './definitions.ts'
import { type OpenApiDocument, openDocument } from './document.ts'
import { argumentNames, type Names, nameFromPath, toolNames } from './names.ts'
import { type Argument, compileParameters } from './parameters.ts'
import { operationText, plainText, titleCharsMax } from './plain-text.ts'
import { serverOf } from './servers.ts'

/** Of `TRACE` and of vendors' methods there are no tools. */
const methods = ['get', 'head', 'post', 'put', 'patch', 'delete', 'options'] as const

export interface CompiledOperation {
  /** As the document has it; empty where it has none. */
  readonly operationId: string
  readonly tool: Tool
}

export interface CompileOptions {
  readonly config: Pick<ServiceConfig, 'auth' | 'baseUrl' | 'variables' | 'headers' | 'bracketedForms'>
  /** Named in errors. */
  readonly file: string
}

/** Every operation of the document, in its order. Throws CF10030 when it is no OpenAPI document. */
export function compileOpenApi(raw: unknown, options: CompileOptions): CompiledOperation[] {
  const document = openDocument(raw, options.file)
  const definitions = definitionsOf(document)
  const names = toolNames()
  const service = serviceScope(document, options)
  const compiled: CompiledOperation[] = []
  for (const [path, value] of Object.entries(asObject(document.root['paths']) ?? {})) {
    const item = document.follow(value)
    if (!item) continue
    for (const method of methods) {
      const operation = asObject(item[method])
      if (operation) compiled.push(compileOperation({ path, method, item, operation }, service, definitions, names))
    }
  }
  return compiled
}

interface ServiceScope {
  readonly credentials: ReadonlySet<string>
  readonly fixedHeaders: ReadonlySet<string>
  readonly isGoogle: boolean
  readonly bracketedForms: boolean
  readonly config: CompileOptions['config']
}

interface Operation {
  readonly path: string
  readonly method: (typeof methods)[number]
  readonly item: JsonObject
  readonly operation: JsonObject
}

function serviceScope(document: OpenApiDocument, { config }: CompileOptions): ServiceScope {
  const securitySchemes = asObject(asObject(document.root['components'])?.['securitySchemes']) ?? {}
  return {
    credentials: credentialPlaces(config, securitySchemes),
    fixedHeaders: new Set(Object.keys(config.headers ?? {}).map((name) => name.toLowerCase())),
    isGoogle: asText(asObject(document.root['info'])?.['x-providerName']) === 'googleapis.com',
    bracketedForms: config.bracketedForms === true,
    config,
  }
}

function compileOperation(
  { path, method, item, operation }: Operation,
  service: ServiceScope,
  definitions: Definitions,
  names: Names,
): CompiledOperation {
  const operationId = asText(operation['operationId'])
  const name = names.take(operationId || nameFromPath(method, path), `${method} ${path}`)
  const scope = { ...service, context: definitions.context, names: argumentNames() }
  const parameters = compileParameters(path, item, operation, scope)
  const body = compileBody(operation, scope)
  const title = plainText(asText(operation['summary']))
  const baseUrl = serverOf(operation['servers'] ?? item['servers'], service.config)
  const accept = acceptOf(operation, definitions.context.document)
  const call: HttpCall = {
    method: method.toUpperCase() as HttpCall['method'],
    ...(baseUrl ? { baseUrl } : {}),
    path: parameters.path,
    parameters: parameters.parameters,
    body: body.body,
    ...(accept ? { accept } : {}),
  }
  const tool = withDigest({
    name,
    ...(title !== '' && title.length <= titleCharsMax ? { title } : {}),
    description: descriptionOf(operation, method, path),
    inputSchema: definitions.enclose(inputSchema([...parameters.arguments, ...body.arguments])),
    annotations: annotationsOf(call.method, operationId || path),
    call,
  })
  return { operationId, tool }
}

/** The schema of a tool's arguments. Closed: an argument that is misspelt is told instead of dropped. */
export function inputSchema(all: readonly Argument[]): JsonSchema {
  const required = all.filter((each) => each.required)
  const ordered = [...required, ...all.filter((each) => !each.required)]
  return {
    type: 'object',
    properties: Object.fromEntries(ordered.map(({ name, schema }) => [name, schema])),
    ...(required.length > 0 ? { required: required.map(({ name }) => name) } : {}),
    additionalProperties: false,
  }
}

function descriptionOf(operation: JsonObject, method: string, path: string): string {
  const text = operationText(asText(operation['summary']), asText(operation['description']))
  const words = text || `${method.toUpperCase()} ${path}`
  return operation['deprecated'] === true ? `Deprecated. ${words}` : words
}

/** What to ask for when the answer is not JSON. */
function acceptOf(operation: JsonObject, document: OpenApiDocument): string | null {
  const types = new Set<string>()
  for (const [status, response] of Object.entries(asObject(operation['responses']) ?? {})) {
    if (!/^(2..|default)$/i.test(status)) continue
    for (const type of Object.keys(asObject(document.follow(response)?.['content']) ?? {})) types.add(type)
  }
  const named = [...types].filter((type) => /^[\w.+*-]+\/[\w.+*-]+/.test(type))
  if (named.length === 0 || named.some((type) => /^(application\/json|\*\/\*)/i.test(type))) return null
  const json = named.find((type) => /json/i.test(type))
  return json ?? [...named.slice(0, 3), '*/*;q=0.1'].join(', ')
}

/** The paths that the document's own servers end in: `/1` of `https://trello.com/1`. */
export function serverPaths(raw: unknown): string[] {
  const servers = asArray(asObject(raw)?.['servers']).map((server) => asText(asObject(server)?.['url']))
  return servers.map((url) => url.replace(/^[a-z]+:\/\/[^/]*|^\/\/[^/]*/, '').replace(/\/+$/, ''))
}
