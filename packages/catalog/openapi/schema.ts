// A schema of OpenAPI 2.0, 3.0 or 3.1 as JSON Schema 2020-12, as an input: what the caller cannot set is left out.
import type { JsonSchema } from '../catalog.ts'
import { asArray, asObject, asText, type JsonObject, textsOf } from '../json-value.ts'
import type { OpenApiDocument } from './document.ts'
import { boundedText, memberDescriptionCharsMax } from './plain-text.ts'

/** Deeper ones are cut: no caller fills them in by hand. */
export const schemaDepthMax = 24
export const enumValuesMax = 200
const exampleCharsMax = 120

const types = new Set(['string', 'number', 'integer', 'boolean', 'array', 'object', 'null'])
const counts = ['minLength', 'maxLength', 'minItems', 'maxItems', 'minProperties', 'maxProperties'] as const

export interface SchemaContext {
  readonly document: OpenApiDocument
  /** The name in `$defs` of what a reference points at. */
  nameOf(reference: string): string
}

/** Converts `schema`; references become `#/$defs/…`, whose definitions the caller provides. Never throws: what makes no sense is dropped. */
export function convertSchema(schema: unknown, context: SchemaContext, depth = 0): JsonSchema {
  const source = asObject(schema)
  if (!source) return schema === false ? { not: {} } : {}
  if (depth > schemaDepthMax) return { description: 'Left out here: nested too deeply.' }
  const reference = source['$ref']
  if (typeof reference === 'string') return converted(source, referenceTo(reference, source, context), context, depth)
  return converted(source, {}, context, depth)
}

/** A reference with what stands beside it: JSON Schema 2020-12 and OpenAPI 3.1 allow both, OpenAPI 3.0 ignores the siblings. */
function referenceTo(reference: string, source: JsonObject, context: SchemaContext): Record<string, unknown> {
  if (context.document.resolve(reference) === undefined) {
    return { description: asText(source['description']) || 'Any value: the API description does not say more.' }
  }
  return { $ref: `#/$defs/${context.nameOf(reference)}` }
}

function converted(
  source: JsonObject,
  start: Record<string, unknown>,
  context: SchemaContext,
  depth: number,
): JsonSchema {
  const below = (schema: unknown) => convertSchema(schema, context, depth + 1)
  const result: Record<string, unknown> = start
  const type = typesOf(source)
  if (type.length > 0 && !('$ref' in result)) result['type'] = type.length === 1 ? type[0] : type
  const description = boundedText(asText(source['description']), memberDescriptionCharsMax)
  if (description) result['description'] = description
  if ('$ref' in result) return source['nullable'] === true ? orNull(result) : result
  copyValues(source, result, type)
  copyBounds(source, result)
  copyMembers(source, result, context, below)
  copyItems(source, result, below)
  copyCombinations(source, result, below)
  return result
}

function orNull(reference: Record<string, unknown>): JsonSchema {
  const { description, ...rest } = reference
  return { anyOf: [rest, { type: 'null' }], ...(description ? { description } : {}) }
}

/** The types of a schema; where it names none, what its other keywords speak of. */
function typesOf(source: JsonObject): string[] {
  const named = source['type']
  const list = (Array.isArray(named) ? textsOf(named) : [asText(named)]).map((each) =>
    each === 'file' ? 'string' : each.toLowerCase(),
  )
  const known = [...new Set(list.filter((each) => types.has(each)))]
  if (known.length === 0 && asObject(source['properties'])) known.push('object')
  if (known.length === 0 && asObject(source['items'])) known.push('array')
  if (source['nullable'] === true && known.length > 0 && !known.includes('null')) known.push('null')
  return known
}

function copyValues(source: JsonObject, result: Record<string, unknown>, type: readonly string[]): void {
  const values = enumOf(source, type)
  if (values) result['enum'] = values
  if (source['const'] !== undefined) result['const'] = source['const']
  const fallback = source['default']
  if (fallback !== undefined && fits(fallback, type)) result['default'] = fallback
  const example = source['example'] ?? asArray(source['examples'])[0]
  if (isPlain(example) && fits(example, type) && String(example).length <= exampleCharsMax && !values) {
    result['examples'] = [example]
  }
  if (asText(source['format'])) result['format'] = source['format']
  if (source['type'] === 'file') result['format'] = 'binary'
  if (source['deprecated'] === true) result['deprecated'] = true
  for (const key of ['contentEncoding', 'contentMediaType']) {
    if (asText(source[key])) result[key] = source[key]
  }
}

/** Values that cannot have the type (`"1"` of an integer, an unquoted `no` of a text) are taken as what was meant. */
function enumOf(source: JsonObject, type: readonly string[]): unknown[] | null {
  const listed = asArray(source['enum'])
  if (listed.length === 0 || listed.length > enumValuesMax) return null
  const meant = listed.map((value) => {
    if (fits(value, type)) return value
    if (type.includes('string') && isPlain(value)) return String(value)
    if (typeof value === 'string' && value.trim() !== '' && (type.includes('integer') || type.includes('number'))) {
      return Number.isNaN(Number(value)) ? value : Number(value)
    }
    if (type.includes('boolean') && (value === 'true' || value === 'false')) return value === 'true'
    return value
  })
  const values = [...new Set(type.includes('null') ? [...meant, null] : meant)].filter((value) => fits(value, type))
  return values.length > 0 ? values : null
}

function copyBounds(source: JsonObject, result: Record<string, unknown>): void {
  for (const key of ['minimum', 'maximum'] as const) {
    const value = source[key]
    if (typeof value !== 'number') continue
    const exclusive = key === 'minimum' ? 'exclusiveMinimum' : 'exclusiveMaximum'
    result[source[exclusive] === true ? exclusive : key] = value
  }
  for (const key of ['exclusiveMinimum', 'exclusiveMaximum']) {
    if (typeof source[key] === 'number') result[key] = source[key]
  }
  if (typeof source['multipleOf'] === 'number' && source['multipleOf'] > 0) result['multipleOf'] = source['multipleOf']
  for (const key of counts) {
    const value = source[key]
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0) result[key] = value
  }
  if (source['uniqueItems'] === true) result['uniqueItems'] = true
  const pattern = asText(source['pattern'])
  if (pattern && isPattern(pattern)) result['pattern'] = pattern
}

function copyMembers(
  source: JsonObject,
  result: Record<string, unknown>,
  context: SchemaContext,
  below: (schema: unknown) => JsonSchema,
): void {
  const properties = asObject(source['properties'])
  const hidden = new Set<string>()
  if (properties) {
    const kept: [string, JsonSchema][] = []
    for (const [name, schema] of Object.entries(properties)) {
      if (isReadOnly(schema, context.document)) hidden.add(name)
      else kept.push([name, below(schema)])
    }
    result['properties'] = Object.fromEntries(kept)
  }
  const required = [...new Set(textsOf(source['required']))].filter((name) => !hidden.has(name))
  if (required.length > 0) result['required'] = required
  const additional = source['additionalProperties']
  if (typeof additional === 'boolean') result['additionalProperties'] = additional
  else if (asObject(additional) && Object.keys(additional as object).length > 0) {
    result['additionalProperties'] = below(additional)
  }
  const patterns = asObject(source['patternProperties'])
  if (patterns) {
    const entries = Object.entries(patterns).filter(([pattern]) => isPattern(pattern))
    result['patternProperties'] = Object.fromEntries(entries.map(([pattern, schema]) => [pattern, below(schema)]))
  }
  if (asObject(source['propertyNames'])) result['propertyNames'] = below(source['propertyNames'])
}

function copyItems(source: JsonObject, result: Record<string, unknown>, below: (schema: unknown) => JsonSchema): void {
  const items = source['items']
  if (Array.isArray(items)) result['prefixItems'] = items.map(below)
  else if (asObject(items)) result['items'] = below(items)
  if (Array.isArray(source['prefixItems']) && source['prefixItems'].length > 0) {
    result['prefixItems'] = source['prefixItems'].map(below)
  }
  if (Array.isArray(result['prefixItems']) && result['prefixItems'].length === 0) delete result['prefixItems']
}

/**
 * `oneOf` becomes `anyOf`: variants of real descriptions overlap, and a request that fits two of them is still right.
 * An `allOf` of one schema is that schema. Where schemas are combined, `additionalProperties: false` of one would forbid the members
 * of the others: descriptions mean it of the whole, so it goes.
 */
function copyCombinations(
  source: JsonObject,
  result: Record<string, unknown>,
  below: (schema: unknown) => JsonSchema,
): void {
  const variants = [...asArray(source['oneOf']), ...asArray(source['anyOf'])].map(below)
  if (source['nullable'] === true && variants.length > 0 && !('type' in result)) variants.push({ type: 'null' })
  const parts = asArray(source['allOf']).map(below)
  const own = 'properties' in result || 'patternProperties' in result
  if (parts.length === 1) inherit(result, own ? openPart(parts[0]!) : parts[0]!, source['nullable'] === true)
  else if (parts.length > 1) result['allOf'] = parts.map(openPart)
  const isCombined = own || parts.length > 0
  if (variants.length === 1 && !('$ref' in result))
    inherit(result, isCombined ? openPart(variants[0]!) : variants[0]!, false)
  else if (variants.length > 0) {
    const open = isCombined ? variants.map(openPart) : variants
    if (result['anyOf']) result['allOf'] = [...asArray(result['allOf']), { anyOf: open }]
    else result['anyOf'] = open
  }
  const hasOthers = 'allOf' in result || 'anyOf' in result || '$ref' in result
  if (hasOthers && result['additionalProperties'] === false) delete result['additionalProperties']
  if (asObject(source['not']) && Object.keys(source['not'] as object).length > 0) result['not'] = below(source['not'])
}

/** Takes a single part's keywords over; where both have one, the two stand side by side. */
function inherit(result: Record<string, unknown>, part: JsonSchema, nullable: boolean): void {
  if (nullable && '$ref' in part && !('type' in result)) {
    result['anyOf'] = [part, { type: 'null' }]
    return
  }
  const clash = Object.keys(part).some((key) => key in result && key !== 'description')
  if (clash) result['allOf'] = [...asArray(result['allOf']), part]
  else Object.assign(result, { ...part, ...result })
}

function openPart(part: JsonSchema): JsonSchema {
  if (part['additionalProperties'] !== false) return part
  const { additionalProperties: _, ...rest } = part
  return rest
}

/** Whether a member is the server's to set, itself or by what it refers to. */
export function isReadOnly(schema: unknown, document: OpenApiDocument): boolean {
  if (asObject(schema)?.['readOnly'] === true) return true
  return document.follow(schema)?.['readOnly'] === true
}

/** Validators compile patterns with the `u` flag, which refuses some that others take. */
function isPattern(pattern: string): boolean {
  try {
    new RegExp(pattern, 'u')
    return true
  } catch {
    return false
  }
}

function isPlain(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}

function fits(value: unknown, type: readonly string[]): boolean {
  if (type.length === 0) return true
  return type.some((each) => {
    if (each === 'integer') return Number.isInteger(value)
    if (each === 'null') return value === null
    if (each === 'array') return Array.isArray(value)
    if (each === 'object') return asObject(value) !== null
    return typeof value === each
  })
}
