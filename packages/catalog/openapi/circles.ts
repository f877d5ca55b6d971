// Definitions may be circular through their members: a tree has subtrees. They must not be circular at one and the same
// place (`Pet` is one of `Cat`, and `Cat` is all of `Pet`): a validator would follow such a circle for ever.
import type { JsonSchema } from '../catalog.ts'
import { asArray, asObject } from '../json-value.ts'
import { withSiblings } from './subschemas.ts'

/** The definitions with every circle at one place opened: the reference that closes it becomes the definition's own keywords. */
export function breakCircles(definitions: ReadonlyMap<string, JsonSchema>): Map<string, JsonSchema> {
  const result = new Map(definitions)
  const done = new Set<string>()
  const open = new Set<string>()
  const visit = (name: string) => {
    open.add(name)
    const rewritten = rewrite(result.get(name)!, (target) => {
      if (open.has(target)) return ownKeywords(definitions.get(target)!)
      if (!done.has(target) && result.has(target)) visit(target)
      return null
    })
    result.set(name, rewritten)
    open.delete(name)
    done.add(name)
  }
  for (const name of definitions.keys()) if (!done.has(name)) visit(name)
  return result
}

/** Rewrites the references that apply to the same place as the schema itself. */
function rewrite(schema: JsonSchema, replacement: (name: string) => JsonSchema | null): JsonSchema {
  let result: Record<string, unknown> = schema
  const reference = schema['$ref']
  if (typeof reference === 'string') {
    const other = replacement(reference.slice('#/$defs/'.length))
    if (other) {
      const { $ref: _, ...siblings } = schema
      result = withSiblings(other, siblings)
    }
  }
  for (const key of ['allOf', 'anyOf']) {
    if (key in result) {
      result = { ...result, [key]: asArray(result[key]).map((part) => rewrite(asObject(part) ?? {}, replacement)) }
    }
  }
  const not = asObject(result['not'])
  return not ? { ...result, not: rewrite(not, replacement) } : result
}

function ownKeywords(schema: JsonSchema): JsonSchema {
  const { $ref: _, allOf: __, anyOf: ___, not: ____, ...own } = schema
  return own
}
