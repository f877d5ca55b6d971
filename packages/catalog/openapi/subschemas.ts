// Which of a schema's keywords hold schemas: only there are references references. A member may well be called `default` or `$ref`.
import type { JsonSchema } from '../catalog.ts'
import { asObject } from '../json-value.ts'

const single = ['items', 'additionalProperties', 'not', 'propertyNames']
const lists = ['allOf', 'anyOf', 'prefixItems']
const named = ['properties', 'patternProperties', '$defs']

/** The schema with each of its direct subschemas replaced by what `change` makes of it. The schema itself is left as it is. */
export function mapSubschemas(schema: JsonSchema, change: (below: JsonSchema) => JsonSchema): JsonSchema {
  const result: Record<string, unknown> = { ...schema }
  for (const key of single) {
    const below = asObject(schema[key])
    if (below) result[key] = change(below)
  }
  for (const key of lists) {
    const below = schema[key]
    if (Array.isArray(below)) result[key] = below.map((each) => (asObject(each) ? change(each) : each))
  }
  for (const key of named) {
    const below = asObject(schema[key])
    if (!below) continue
    const entries = Object.entries(below).map(([name, each]) => [
      name,
      asObject(each) ? change(each as JsonSchema) : each,
    ])
    result[key] = Object.fromEntries(entries)
  }
  return result
}

/** Calls `visit` for each direct subschema. */
export function eachSubschema(schema: JsonSchema, visit: (below: JsonSchema) => void): void {
  for (const key of single) {
    const below = asObject(schema[key])
    if (below) visit(below)
  }
  for (const key of lists) {
    const below = schema[key]
    if (Array.isArray(below)) for (const each of below) if (asObject(each)) visit(each)
  }
  for (const key of named) {
    const below = asObject(schema[key])
    if (below) for (const each of Object.values(below)) if (asObject(each)) visit(each as JsonSchema)
  }
}

/** Names of the definitions that a schema refers to, each as often as it does, in the order of the schema. */
export function referencesIn(schema: JsonSchema, into: string[] = []): string[] {
  const name = definitionOf(schema)
  if (name !== null) into.push(name)
  eachSubschema(schema, (below) => referencesIn(below, into))
  return into
}

/** A definition in the place of a reference to it, with what stood beside the reference. Where both say something, both hold. */
export function withSiblings(definition: JsonSchema, siblings: JsonSchema): JsonSchema {
  const clash = Object.keys(siblings).some((key) => key !== 'description' && key in definition)
  if (!clash) return { ...definition, ...siblings }
  const before = siblings['allOf']
  return { ...siblings, allOf: [...(Array.isArray(before) ? before : []), definition] }
}

/** The definition that a schema refers to, or null. */
export function definitionOf(schema: JsonSchema): string | null {
  const reference = schema['$ref']
  return typeof reference === 'string' ? reference.slice('#/$defs/'.length) : null
}
