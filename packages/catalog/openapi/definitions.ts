// Makes a schema self-contained: the definitions it needs come into its `$defs`, as few and as small as will do.
import type { JsonSchema } from '../catalog.ts'
import { asObject, textsOf } from '../json-value.ts'
import { breakCircles } from './circles.ts'
import type { OpenApiDocument } from './document.ts'
import { convertSchema, type SchemaContext } from './schema.ts'
import { definitionOf, mapSubschemas, referencesIn, withSiblings } from './subschemas.ts'

/** A tool's schema goes to the model with every request; a longer one costs more than it tells. */
export const schemaBytesMax = 24_576
export const definitionsMax = 80
/** A definition that refers to nothing and is this small is cheaper in place than by reference. */
const inlinedBytesMax = 160
/** Depths at which a schema that is too long by itself is cut, the deepest first. */
const cutDepths = [10, 8, 6, 5, 4, 3, 2, 1]

const narrowedText = 'Some of its members are left out here for their number; they can be given all the same.'
const leftOut = 'Any value: its definition is left out here for its size.'

export interface Definitions {
  readonly context: SchemaContext
  /** `schema` with everything it refers to in its `$defs`. Bounded by `definitionsMax` and `schemaBytesMax`. */
  enclose(schema: JsonSchema): JsonSchema
}

/** Definitions of one document. Each is converted once, whatever number of tools needs it. */
export function definitionsOf(document: OpenApiDocument): Definitions {
  const names = new Map<string, string>()
  const references = new Map<string, string>()
  const converted = new Map<string, JsonSchema>()
  const context: SchemaContext = {
    document,
    nameOf(reference) {
      const known = names.get(reference)
      if (known) return known
      const last = decodeURIComponent(
        reference.slice(reference.lastIndexOf('/') + 1).replace(/%(?![0-9a-fA-F]{2})/g, '%25'),
      )
      const wish =
        last
          .replace(/~1/g, '/')
          .replace(/[^A-Za-z0-9_.-]+/g, '_')
          .slice(0, 80) || 'definition'
      let name = wish
      for (let number = 2; references.has(name); number++) name = `${wish}_${number}`
      names.set(reference, name)
      references.set(name, reference)
      return name
    },
  }
  const definition = (name: string): JsonSchema => {
    let schema = converted.get(name)
    if (!schema) {
      schema = convertSchema(document.resolve(references.get(name)!), context)
      converted.set(name, schema)
    }
    return schema
  }
  return { context, enclose: (schema) => enclose(schema, definition) }
}

function enclose(schema: JsonSchema, definition: (name: string) => JsonSchema): JsonSchema {
  const collected = collect(schema, definition)
  if (collected.size === 0) return bounded(schema)
  const acyclic = breakCircles(collected)
  const { root, definitions } = inlineSingles(schema, acyclic)
  return cutToSize(root, definitions)
}

/** All definitions that `schema` reaches, the nearest first; those beyond `definitionsMax` are permissive. */
function collect(schema: JsonSchema, definition: (name: string) => JsonSchema): Map<string, JsonSchema> {
  const found = new Map<string, JsonSchema>()
  const queue = referencesIn(schema)
  for (let index = 0; index < queue.length; index++) {
    const name = queue[index]!
    if (found.has(name)) continue
    if (found.size >= definitionsMax) {
      found.set(name, permissive(definition(name)))
      continue
    }
    const each = definition(name)
    found.set(name, each)
    queue.push(...referencesIn(each))
  }
  return found
}

/** Puts definitions that are used once, or are tiny, where they are used. Recursive ones stay. */
function inlineSingles(
  schema: JsonSchema,
  definitions: ReadonlyMap<string, JsonSchema>,
): { root: JsonSchema; definitions: Map<string, JsonSchema> } {
  const uses = new Map<string, number>()
  const below = new Map<string, string[]>()
  for (const name of referencesIn(schema)) uses.set(name, (uses.get(name) ?? 0) + 1)
  for (const [name, each] of definitions) {
    const names = referencesIn(each)
    below.set(name, names)
    for (const used of names) uses.set(used, (uses.get(used) ?? 0) + 1)
  }
  const inlined = new Set<string>()
  for (const [name, each] of definitions) {
    const single = uses.get(name) === 1 && !reaches(name, name, below)
    const tiny = below.get(name)!.length === 0 && JSON.stringify(each).length <= inlinedBytesMax
    if (single || tiny) inlined.add(name)
  }
  const replace = (value: JsonSchema): JsonSchema => {
    const name = definitionOf(value)
    if (name !== null && inlined.has(name)) {
      const { $ref: _, ...siblings } = value
      return withSiblings(replace(definitions.get(name)!), mapSubschemas(siblings, replace))
    }
    return mapSubschemas(value, replace)
  }
  const kept = new Map<string, JsonSchema>()
  for (const [name, each] of definitions) if (!inlined.has(name)) kept.set(name, replace(each))
  return { root: replace(schema), definitions: kept }
}

function reaches(from: string, target: string, below: ReadonlyMap<string, readonly string[]>): boolean {
  const seen = new Set<string>()
  const queue = [...(below.get(from) ?? [])]
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (name === target) return true
    if (seen.has(name)) continue
    seen.add(name)
    queue.push(...(below.get(name) ?? []))
  }
  return false
}

/** Makes the farthest definitions permissive until the whole fits, then drops those that nothing refers to any more. */
function cutToSize(root: JsonSchema, definitions: Map<string, JsonSchema>): JsonSchema {
  const outer = bounded(root)
  let bytes = JSON.stringify(outer).length
  const sizes = new Map([...definitions].map(([name, each]) => [name, JSON.stringify(each).length + name.length + 4]))
  for (const size of sizes.values()) bytes += size
  const kept = new Map(definitions)
  for (const name of [...definitions.keys()].reverse()) {
    if (bytes <= schemaBytesMax) break
    const short = permissive(definitions.get(name)!)
    bytes -= sizes.get(name)! - (JSON.stringify(short).length + name.length + 4)
    kept.set(name, short)
  }
  const used = new Map<string, JsonSchema>()
  const queue = referencesIn(outer)
  for (let index = 0; index < queue.length; index++) {
    const name = queue[index]!
    const each = kept.get(name)
    if (used.has(name) || !each) continue
    used.set(name, each)
    queue.push(...referencesIn(each))
  }
  return used.size === 0 ? outer : { ...outer, $defs: Object.fromEntries(used) }
}

/** A schema that is too long by itself, cut at the greatest depth that fits. */
function bounded(schema: JsonSchema): JsonSchema {
  if (JSON.stringify(schema).length <= schemaBytesMax) return schema
  for (const depth of cutDepths) {
    const cut = cutBelow(schema, depth)
    if (JSON.stringify(cut).length <= schemaBytesMax) return cut
  }
  return narrowed(cutBelow(schema, 1))
}

/** Of a schema with too many members those that are required, and as many others as fit. It is open: the rest can still be given. */
function narrowed(schema: JsonSchema): JsonSchema {
  const members = Object.entries(asObject(schema['properties']) ?? {})
  const required = new Set(textsOf(schema['required']))
  const kept = new Set(members.map(([name]) => name))
  let bytes = JSON.stringify(schema).length
  for (const [name, member] of members.reverse()) {
    if (bytes <= schemaBytesMax - narrowedText.length) break
    if (required.has(name)) continue
    kept.delete(name)
    bytes -= JSON.stringify(member).length + name.length + 4
  }
  const properties = Object.fromEntries(members.reverse().filter(([name]) => kept.has(name)))
  return { ...schema, description: narrowedText, properties, additionalProperties: true }
}

function cutBelow(schema: JsonSchema, depth: number): JsonSchema {
  return depth === 0 ? permissive(schema) : mapSubschemas(schema, (below) => cutBelow(below, depth - 1))
}

/** What stays of a schema that is cut: its type, and that it was cut. A short one stays as it is. */
function permissive(schema: JsonSchema): JsonSchema {
  if (!('$ref' in schema) && JSON.stringify(schema).length <= inlinedBytesMax && referencesIn(schema).length === 0) {
    return schema
  }
  const { type, description } = schema
  const text = typeof description === 'string' ? `${description.replace(/\.?$/, '.')} ${leftOut}` : leftOut
  return { ...(type === undefined ? {} : { type }), description: text }
}
