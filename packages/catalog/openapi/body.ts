// A request body as arguments: members of an object become arguments of their own, anything else is one argument.
import type { BodyMember, CallBody, JsonSchema } from '../catalog.ts'
import { asObject, asText, type JsonObject, textsOf } from '../json-value.ts'
import { isTaken } from './credential-places.ts'
import { formMember, isTextOfCaller } from './form-members.ts'
import { mergedObject } from './merged-object.ts'
import type { Argument, ParameterScope } from './parameters.ts'
import { argumentDescriptionCharsMax, boundedText } from './plain-text.ts'
import { convertSchema, isReadOnly } from './schema.ts'

export interface CompiledBody {
  readonly body: CallBody | null
  readonly arguments: readonly Argument[]
}

type Encoding = 'json' | 'form' | 'multipart' | 'text' | 'base64'

/** The body of an operation that has one. Of several media types JSON is taken, then forms, then text, then bytes. */
export function compileBody(operation: JsonObject, scope: ParameterScope): CompiledBody {
  const { document } = scope.context
  const requestBody = document.follow(operation['requestBody'])
  const choice = chosenMedia(asObject(requestBody?.['content']) ?? {})
  if (!requestBody || !choice) return { body: null, arguments: [] }
  const required = requestBody['required'] === true
  const { contentType, encoding, media } = choice
  const schema = media['schema']
  if (encoding === 'json' || encoding === 'form' || encoding === 'multipart') {
    const object = mergedObject(schema, document, encoding !== 'json')
    if (object) return members(object, media, contentType, encoding, required, scope)
    if (encoding !== 'json') return { body: null, arguments: [] }
  }
  const description = boundedText(asText(requestBody['description']), argumentDescriptionCharsMax)
  return whole(schema, description, contentType, encoding, required, scope)
}

function members(
  object: JsonObject,
  media: JsonObject,
  contentType: string,
  encoding: 'json' | 'form' | 'multipart',
  required: boolean,
  scope: ParameterScope,
): CompiledBody {
  const needed = new Set(textsOf(object['required']))
  const encodings = asObject(media['encoding']) ?? {}
  const compiled: { member: BodyMember; argument: Argument }[] = []
  for (const [name, schema] of Object.entries(asObject(object['properties']) ?? {})) {
    if (isReadOnly(schema, scope.context.document)) continue
    const description = asText(scope.context.document.follow(schema)?.['description'])
    if (encoding !== 'json' && isTaken('body', name, description, scope.credentials)) continue
    const writing = encoding === 'json' ? {} : formMember(name, asObject(encodings[name]), schema, encoding, scope)
    const argument = scope.names.take(name, 'body')
    compiled.push({
      member: { argument, name, ...writing },
      argument: {
        name: argument,
        schema: memberSchema(schema, writing, scope),
        required: needed.has(name) && required,
      },
    })
  }
  return {
    body: { kind: 'members', contentType, encoding, members: compiled.map((each) => each.member), required },
    arguments: compiled.map((each) => each.argument),
  }
}

function whole(
  schema: unknown,
  description: string,
  contentType: string,
  encoding: 'json' | 'text' | 'base64',
  required: boolean,
  scope: ParameterScope,
): CompiledBody {
  const argument = scope.names.take('body', 'body')
  const converted = convertSchema(schema ?? {}, scope.context)
  const shape: JsonSchema =
    encoding === 'json'
      ? converted
      : encoding === 'base64'
        ? base64Schema({ type: 'string' })
        : { type: 'string', contentMediaType: contentType }
  const text = asText(converted['description']) || description
  const described = text && encoding !== 'base64' ? { ...shape, description: text } : shape
  return {
    body: { kind: 'whole', contentType, encoding, argument, required },
    arguments: [{ name: argument, schema: described, required }],
  }
}

function memberSchema(
  schema: unknown,
  writing: Omit<BodyMember, 'argument' | 'name'>,
  scope: ParameterScope,
): JsonSchema {
  const followed = scope.context.document.follow(schema)
  const converted = withLongDescription(convertSchema(schema, scope.context), asText(followed?.['description']))
  if (writing.binary || followed?.['format'] === 'binary') return base64Schema(converted)
  if (!isTextOfCaller(writing) || (followed?.['type'] !== 'object' && !asObject(followed?.['properties'])))
    return converted
  const { description } = converted
  return { type: 'string', contentMediaType: writing.contentType, ...(description ? { description } : {}) }
}

function base64Schema(schema: JsonSchema): JsonSchema {
  if (schema['type'] === 'array') return { ...schema, items: base64Schema({ type: 'string' }) }
  const description = asText(schema['description'])
  return {
    type: 'string',
    contentEncoding: 'base64',
    description: `${description ? `${description.replace(/\.?$/, '.')} ` : ''}Bytes, as base64.`,
  }
}

/** Arguments have room for more words than members deeper down. */
function withLongDescription(schema: JsonSchema, text: string): JsonSchema {
  const description = boundedText(text, argumentDescriptionCharsMax)
  return description && '$ref' in schema === false ? { ...schema, description } : schema
}

function chosenMedia(content: JsonObject): { contentType: string; encoding: Encoding; media: JsonObject } | null {
  let best: { contentType: string; encoding: Encoding; media: JsonObject; rank: number } | null = null
  for (const [type, value] of Object.entries(content)) {
    const encoding = encodingOf(type)
    const rank = ranks[encoding] - (/^application\/json$/i.test(type) ? 0.5 : 0) + (/patch/.test(type) ? 0.2 : 0)
    if (!best || rank < best.rank) {
      best = { contentType: sentType(type, encoding), encoding, media: asObject(value) ?? {}, rank }
    }
  }
  return best
}

const ranks: Readonly<Record<Encoding, number>> = { json: 1, form: 2, multipart: 3, text: 4, base64: 5 }

function encodingOf(type: string): Encoding {
  const bare = type.split(';')[0]!.trim().toLowerCase()
  if (bare === '' || bare === '*/*' || bare === 'application/*' || bare.endsWith('json')) return 'json'
  if (bare === 'application/x-www-form-urlencoded') return 'form'
  if (bare === 'multipart/form-data' || bare === 'application/form-data') return 'multipart'
  if (bare.startsWith('text/') || /(xml|yaml|javascript|graphql|sql|ndjson|csv)$/.test(bare)) return 'text'
  return 'base64'
}

function sentType(type: string, encoding: Encoding): string {
  if (type === '' || type.includes('*')) return encoding === 'text' ? 'text/plain' : 'application/json'
  return encoding === 'multipart' ? 'multipart/form-data' : type
}
