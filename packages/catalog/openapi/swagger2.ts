// Swagger 2.0 as OpenAPI 3: bodies leave the parameters, types become schemas. `#/definitions/…` stay where they are.
import { asArray, asObject, asText, type JsonObject, textsOf } from '../json-value.ts'
import { follow, resolvePointer } from './references.ts'

const methods = new Set(['get', 'put', 'post', 'delete', 'options', 'head', 'patch'])
const notOfSchemas = new Set(['name', 'in', 'description', 'required', 'collectionFormat', 'allowEmptyValue', 'schema'])

/** The document in OpenAPI 3's shape. The original is left as it is. */
export function upgradeSwagger2(root: JsonObject): JsonObject {
  const paths: Record<string, unknown> = {}
  const resolve = (reference: string) => resolvePointer(root, reference)
  for (const [path, value] of Object.entries(asObject(root['paths']) ?? {})) {
    const item = follow(value, resolve)
    if (!item) continue
    const shared = asArray(item['parameters'])
    const upgraded: Record<string, unknown> = {}
    for (const [method, operation] of Object.entries(item)) {
      const object = asObject(operation)
      if (object && methods.has(method)) upgraded[method] = upgradeOperation(object, shared, root, resolve)
    }
    paths[path] = upgraded
  }
  const { swagger: _, host: __, basePath: ___, schemes: ____, securityDefinitions, ...rest } = root
  return {
    ...rest,
    openapi: '3.0.3',
    servers: serversOf(root),
    paths,
    components: { securitySchemes: upgradeSecurity(asObject(securityDefinitions) ?? {}) },
  }
}

function serversOf(root: JsonObject): { url: string }[] {
  const host = asText(root['host'])
  const basePath = asText(root['basePath']).replace(/\/$/, '')
  if (!host) return [{ url: basePath || '/' }]
  const schemes = textsOf(root['schemes'])
  const scheme = schemes.length === 0 || schemes.includes('https') ? 'https' : schemes[0]!
  return [{ url: `${scheme}://${host}${basePath}` }]
}

function upgradeOperation(
  operation: JsonObject,
  shared: readonly unknown[],
  root: JsonObject,
  resolve: (reference: string) => unknown,
): JsonObject {
  const { consumes, produces, parameters: own, responses, schemes: _, ...rest } = operation
  const byPlace = new Map<string, JsonObject>()
  for (const each of [...shared, ...asArray(own)]) {
    const parameter = follow(each, resolve)
    if (parameter) byPlace.set(`${asText(parameter['in'])} ${asText(parameter['name'])}`, parameter)
  }
  const all = [...byPlace.values()]
  const accepted = textsOf(consumes ?? root['consumes'])
  const body = all.find((parameter) => parameter['in'] === 'body')
  const form = all.filter((parameter) => parameter['in'] === 'formData')
  const requestBody = body ? bodyOf(body, accepted) : form.length > 0 ? formOf(form, accepted) : null
  return {
    ...rest,
    parameters: all.filter((each) => each['in'] !== 'body' && each['in'] !== 'formData').map(upgradeParameter),
    ...(requestBody ? { requestBody } : {}),
    responses: upgradeResponses(asObject(responses) ?? {}, textsOf(produces ?? root['produces'])),
  }
}

function bodyOf(parameter: JsonObject, accepted: readonly string[]): JsonObject {
  const media = { schema: parameter['schema'] ?? {} }
  const types = accepted.length > 0 ? accepted : ['application/json']
  return {
    description: parameter['description'],
    required: parameter['required'] === true,
    content: Object.fromEntries(types.map((type) => [type, media])),
  }
}

function formOf(parameters: readonly JsonObject[], accepted: readonly string[]): JsonObject {
  const hasFile = parameters.some((parameter) => parameter['type'] === 'file')
  const multipart = hasFile || (accepted.includes('multipart/form-data') && !accepted.includes(formType))
  const properties = parameters.map((parameter) => {
    const schema = schemaOf(parameter)
    const described = parameter['description'] ? { ...schema, description: parameter['description'] } : schema
    return [asText(parameter['name']), described]
  })
  const required = parameters.filter((each) => each['required'] === true).map((each) => asText(each['name']))
  const lists = parameters.filter((each) => each['type'] === 'array' && asObject(each['items'])?.['type'] !== 'file')
  const encoding = Object.fromEntries(lists.map((each) => [asText(each['name']), styleOf(each)]))
  return {
    required: required.length > 0,
    content: {
      [multipart ? 'multipart/form-data' : formType]: {
        schema: { type: 'object', properties: Object.fromEntries(properties), required },
        ...(lists.length > 0 ? { encoding } : {}),
      },
    },
  }
}

const formType = 'application/x-www-form-urlencoded'

/** Swagger 2 writes the schema of a parameter among its other members. */
function schemaOf(parameter: JsonObject): JsonObject {
  const schema = Object.fromEntries(Object.entries(parameter).filter(([key]) => !notOfSchemas.has(key)))
  return schema['type'] === 'file' ? { type: 'string', format: 'binary' } : schema
}

function upgradeParameter(parameter: JsonObject): JsonObject {
  const { name, in: place, description, required, schema } = parameter
  return { name, in: place, description, required, schema: schema ?? schemaOf(parameter), ...styleOf(parameter) }
}

/** `collectionFormat`: `csv` where nothing is said, and `multi` only of queries and forms. */
function styleOf(parameter: JsonObject): JsonObject {
  if (parameter['type'] !== 'array') return {}
  const isNamed = parameter['in'] === 'query' || parameter['in'] === 'formData'
  const format = asText(parameter['collectionFormat'])
  if (format === 'multi' && isNamed) return { style: 'form', explode: true }
  return { style: separatedStyles[format] ?? (isNamed ? 'form' : 'simple'), explode: false }
}

const separatedStyles: Readonly<Record<string, string>> = {
  ssv: 'spaceDelimited',
  tsv: 'tabDelimited',
  pipes: 'pipeDelimited',
}

function upgradeResponses(responses: JsonObject, produced: readonly string[]): JsonObject {
  const types = produced.length > 0 ? produced : ['application/json']
  return Object.fromEntries(
    Object.entries(responses).map(([status, response]) => {
      const schema = asObject(response)?.['schema']
      if (!schema) return [status, response]
      return [status, { content: Object.fromEntries(types.map((type) => [type, { schema }])) }]
    }),
  )
}

function upgradeSecurity(definitions: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(definitions).map(([name, value]) => {
      const scheme = asObject(value) ?? {}
      if (scheme['type'] === 'basic') return [name, { type: 'http', scheme: 'basic' }]
      if (scheme['type'] !== 'oauth2') return [name, scheme]
      const { authorizationUrl, tokenUrl, scopes } = scheme
      const flow = flowNames[asText(scheme['flow'])] ?? 'authorizationCode'
      return [name, { type: 'oauth2', flows: { [flow]: { authorizationUrl, tokenUrl, scopes } } }]
    }),
  )
}

const flowNames: Readonly<Record<string, string>> = {
  implicit: 'implicit',
  password: 'password',
  application: 'clientCredentials',
  accessCode: 'authorizationCode',
}
