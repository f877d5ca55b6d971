// Path, query, header and cookie parameters of an operation as arguments of a tool.
import type { CallParameter, JsonSchema } from '../catalog.ts'
import { asArray, asObject, asText, type JsonObject } from '../json-value.ts'
import { type CredentialPlace, isTaken } from './credential-places.ts'
import type { OpenApiDocument } from './document.ts'
import type { Names } from './names.ts'
import { argumentDescriptionCharsMax, boundedText } from './plain-text.ts'
import { convertSchema, type SchemaContext } from './schema.ts'
import { writingOf } from './styles.ts'

export interface Argument {
  readonly name: string
  readonly schema: JsonSchema
  readonly required: boolean
}

export interface CompiledParameters {
  /** The path with its fixed query, if it has one; without a fragment. */
  readonly path: string
  readonly parameters: readonly CallParameter[]
  readonly arguments: readonly Argument[]
}

export interface ParameterScope {
  readonly context: SchemaContext
  readonly credentials: ReadonlySet<CredentialPlace>
  /** Headers that every request of the service carries, in lower case. */
  readonly fixedHeaders: ReadonlySet<string>
  readonly names: Names
  readonly isGoogle: boolean
  /** `ServiceConfig.bracketedForms` */
  readonly bracketedForms: boolean
}

type Place = CallParameter['in']

const places: readonly Place[] = ['path', 'query', 'header', 'cookie']
/** What every Google API takes and no caller needs; `fields` is useful and stays. */
const googleParameters = new Set([
  '$.xgafv',
  'alt',
  'callback',
  'oauth_token',
  'prettyPrint',
  'quotaUser',
  'uploadType',
  'upload_protocol',
  'userIp',
  'access_token',
  'key',
])

/** The parameters of `operation`, its own before those of its path, required ones in front. */
export function compileParameters(
  template: string,
  item: JsonObject,
  operation: JsonObject,
  scope: ParameterScope,
): CompiledParameters {
  const { path, inQuery } = splitTemplate(template)
  const declared = declaredParameters(item, operation, scope.context.document)
  const compiled: { parameter: CallParameter; schema: JsonSchema }[] = []
  for (const { name, source } of pathParameters(path, declared, scope)) {
    compiled.push(compileParameter(source, name, 'path', scope))
  }
  for (const [wire, name] of inQuery) {
    const source = declared.find((each) => asText(each['name']) === name) ?? {}
    compiled.push(compileParameter({ ...source, required: true }, wire, 'query', scope))
  }
  const fromTemplate = new Set(inQuery.values())
  for (const place of places.slice(1)) {
    for (const source of declared) {
      const name = asText(source['name'])
      if (source['in'] !== place || name === '' || fromTemplate.has(name)) continue
      if (isLeftOut(source, name, place, operation, scope)) continue
      compiled.push(compileParameter(source, name, place, scope))
    }
  }
  return {
    path,
    parameters: compiled.map(({ parameter }) => parameter),
    arguments: compiled.map(({ parameter, schema }) => ({
      name: parameter.argument,
      schema,
      required: parameter.required,
    })),
  }
}

/** An operation's parameters override those of its path with the same name and place. */
function declaredParameters(item: JsonObject, operation: JsonObject, document: OpenApiDocument): JsonObject[] {
  const byPlace = new Map<string, JsonObject>()
  for (const each of [...asArray(operation['parameters']), ...asArray(item['parameters'])]) {
    const parameter = document.follow(each)
    if (!parameter) continue
    const key = `${asText(parameter['in'])} ${asText(parameter['name'])}`
    if (!byPlace.has(key)) byPlace.set(key, parameter)
  }
  return [...byPlace.values()]
}

/** `/a?x=1&q={query}#part` → `/a?x=1` and q = query: some descriptions write a query into their paths. */
function splitTemplate(template: string): { path: string; inQuery: Map<string, string> } {
  const [beforeFragment = ''] = template.split('#')
  const [bare = '', query = ''] = beforeFragment.split('?')
  const inQuery = new Map<string, string>()
  const fixed: string[] = []
  for (const pair of query.split('&').filter((each) => each !== '')) {
    const dynamic = /^([^={}]+)=\{([^{}]+)\}$/.exec(pair)
    if (dynamic) inQuery.set(dynamic[1]!, dynamic[2]!)
    else if (!pair.includes('{')) fixed.push(pair)
  }
  const path = bare.startsWith('/') ? bare : `/${bare}`
  return { path: fixed.length > 0 ? `${path}?${fixed.join('&')}` : path, inQuery }
}

/** The template decides which path parameters there are: an undeclared one is a required text. */
function pathParameters(
  path: string,
  declared: readonly JsonObject[],
  scope: ParameterScope,
): { name: string; source: JsonObject }[] {
  const names = [...new Set([...path.matchAll(/\{([^{}]+)\}/g)].map((match) => match[1]!))]
  return names
    .filter((name) => !scope.credentials.has(`path ${name.toLowerCase()}`))
    .map((name) => {
      const bare = name.replace(/^[+#./;?&]|[*+]$/g, '')
      const own = declared.find((each) => each['in'] === 'path' && (each['name'] === name || each['name'] === bare))
      return { name, source: { ...(own ?? { schema: { type: 'string' } }), required: true } }
    })
}

function isLeftOut(
  source: JsonObject,
  name: string,
  place: Place,
  operation: JsonObject,
  scope: ParameterScope,
): boolean {
  if (isTaken(place, name, asText(source['description']), scope.credentials)) return true
  if (place === 'header' && scope.fixedHeaders.has(name.toLowerCase())) return true
  if (asObject(source['schema'])?.['readOnly'] === true) return true
  if (!scope.isGoogle || place !== 'query' || !googleParameters.has(name)) return false
  return !(name === 'alt' && /\.(get|export)$/.test(asText(operation['operationId'])))
}

function compileParameter(
  source: JsonObject,
  name: string,
  place: Place,
  scope: ParameterScope,
): { parameter: CallParameter; schema: JsonSchema } {
  const content = Object.entries(asObject(source['content']) ?? {})[0]
  const schema = convertSchema(source['schema'] ?? asObject(content?.[1])?.['schema'] ?? {}, scope.context)
  const isManySegments = /^\+|[*+]$/.test(name) || isGoogleResource(source, place, scope)
  return {
    parameter: {
      argument: scope.names.take(name.replace(/^[+#./;?&]|[*+]$/g, '') || name, place),
      name,
      in: place,
      required: source['required'] === true,
      ...writingOf(source, place),
      ...(isManySegments ? { allowReserved: true } : {}),
      ...(content ? { content: /json/i.test(content[0]) ? 'json' : 'text' } : {}),
    },
    schema: described(schema, asText(source['description']), source),
  }
}

/** Google's resource names (`projects/a/topics/b`) fill several segments of a path. */
function isGoogleResource(source: JsonObject, place: Place, scope: ParameterScope): boolean {
  return scope.isGoogle && place === 'path' && /[a-z]+\/[*{[]|resource name/i.test(asText(source['description']))
}

/** A parameter's description says more than its schema's. */
function described(schema: JsonSchema, text: string, source: JsonObject): JsonSchema {
  const description = boundedText(text, argumentDescriptionCharsMax)
  const example = source['example']
  const result: Record<string, unknown> = { ...schema }
  if (description) result['description'] = description
  if (source['deprecated'] === true) result['deprecated'] = true
  const isShort = (typeof example === 'string' && example.length <= 80) || typeof example === 'number'
  if (isShort && !('examples' in result) && !('enum' in result)) result['examples'] = [example]
  return result
}
