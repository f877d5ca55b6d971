// Whether a body is an object whose members can be arguments, and which members it has, through references and `allOf`.
import { asArray, asObject, type JsonObject, textsOf } from '../json-value.ts'
import type { OpenApiDocument } from './document.ts'

/** Deeper nests of `allOf` are taken for circles. */
const nestingMax = 12

/**
 * The object that `schema` describes, as `{ properties, required }` in OpenAPI's terms; null when it is none, or when its members
 * depend on a choice that flat arguments could not express. With `always` (forms have nothing but members) variants are put together.
 */
export function mergedObject(schema: unknown, document: OpenApiDocument, always: boolean): JsonObject | null {
  const merged = merge(schema, document, always, new Set(), 0)
  if (!merged || Object.keys(merged.properties).length === 0) return null
  return merged
}

interface Merged extends JsonObject {
  readonly properties: JsonObject
  readonly required: readonly string[]
}

function merge(
  schema: unknown,
  document: OpenApiDocument,
  always: boolean,
  seen: ReadonlySet<JsonObject>,
  depth: number,
): Merged | null {
  const source = document.follow(schema)
  if (!source || depth > nestingMax) return null
  if (seen.has(source)) return { properties: {}, required: [] }
  if (!isObjectSchema(source, always)) return null
  const within = new Set([...seen, source])
  const parts: Merged[] = []
  for (const part of asArray(source['allOf'])) {
    const merged = merge(part, document, always, within, depth + 1)
    if (!merged) return null
    parts.push(merged)
  }
  const variants = [...asArray(source['oneOf']), ...asArray(source['anyOf'])]
  const isChoice = variants.some((variant) => !onlyRequires(variant, document))
  if (isChoice && !always) {
    if (variants.length !== 1) return null
    const only = merge(variants[0], document, always, within, depth + 1)
    if (!only) return null
    parts.push(only)
  }
  parts.push({ properties: asObject(source['properties']) ?? {}, required: textsOf(source['required']) })
  if (isChoice && always) {
    for (const variant of variants) {
      const merged = merge(variant, document, always, within, depth + 1)
      if (merged) parts.push({ properties: merged.properties, required: [] })
    }
  }
  return joined(parts)
}

/** Members of the same name: the later part refines the earlier one. */
function joined(parts: readonly Merged[]): Merged {
  const properties = new Map<string, unknown>()
  const required = new Set<string>()
  for (const part of parts) {
    for (const [name, schema] of Object.entries(part.properties)) {
      const earlier = properties.get(name)
      const refines = earlier !== undefined && JSON.stringify(earlier) !== JSON.stringify(schema)
      properties.set(name, refines ? refined(earlier, schema) : schema)
    }
    for (const name of part.required) required.add(name)
  }
  return { properties: Object.fromEntries(properties), required: [...required].filter((name) => properties.has(name)) }
}

function refined(earlier: unknown, later: unknown): unknown {
  const [a, b] = [asObject(earlier) ?? {}, asObject(later) ?? {}]
  if ('$ref' in a || '$ref' in b) return Object.keys(b).length === 0 ? a : b
  return { ...a, ...b }
}

function isObjectSchema(source: JsonObject, always: boolean): boolean {
  const type = source['type']
  const isObject = type === undefined || type === 'object' || (Array.isArray(type) && type.includes('object'))
  if (!isObject) return false
  const additional = asObject(source['additionalProperties'])
  const isOpenMap = additional !== null && Object.keys(additional).length > 0
  return always || !isOpenMap
}

/** `anyOf: [{ required: ['a'] }, { required: ['b'] }]` chooses among members that are all known: the upstream checks it. */
function onlyRequires(variant: unknown, document: OpenApiDocument): boolean {
  const source = document.follow(variant)
  if (!source) return false
  return Object.keys(source).every(
    (key) => key === 'required' || key === 'title' || key === 'description' || key === 'type',
  )
}
