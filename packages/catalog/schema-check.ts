// Whether a schema is one that a validator can work with.
import { reasonOf } from '@crossfade/model/failure.ts'
import { Ajv2020 } from 'ajv/dist/2020.js'
import type { JsonSchema } from './catalog.ts'
import { asObject } from './json-value.ts'
import { mapSubschemas, referencesIn } from './openapi/subschemas.ts'

/** A validator keeps all that it has compiled; after this many it is replaced. */
const schemasPerValidatorMax = 500

/** Keywords that a validator does not look at. */
const notValidated = new Set(['title', 'description', 'examples', 'deprecated', 'format'])

/** Tells why a schema does not compile, or null. Formats are not looked at: they are hints here. */
export type SchemaCheck = (schema: JsonSchema) => string | null

/**
 * A check that compiles what it has not compiled before. A schema compiles when its parts do, so members that refer to nothing are
 * compiled by themselves: the same few thousand stand in the tens of thousands of operations of a catalog, in other words.
 */
export function schemaCheck(): SchemaCheck {
  const known = new Map<string, string | null>()
  let validator = newValidator()
  let compiled = 0

  const compile = (schema: JsonSchema): string | null => {
    const key = JSON.stringify(schema)
    const before = known.get(key)
    if (before !== undefined) return before
    if (++compiled > schemasPerValidatorMax) {
      validator = newValidator()
      compiled = 1
    }
    const reason = reasonAgainst(schema, validator)
    known.set(key, reason)
    return reason
  }

  return (schema) => {
    const bare = withoutAnnotations(schema)
    const properties = asObject(bare['properties'])
    if (!properties) return compile(bare)
    const rest: Record<string, unknown> = {}
    for (const [name, member] of Object.entries(properties)) {
      const own = asObject(member)
      if (!own || referencesIn(own).length > 0) {
        rest[name] = member
        continue
      }
      const reason = compile(own)
      if (reason) return `${name}: ${reason}`
    }
    return compile({ ...bare, properties: rest })
  }
}

function reasonAgainst(schema: JsonSchema, validator: Ajv2020): string | null {
  try {
    validator.compile(schema)
    return null
  } catch (error) {
    return reasonOf(error)
  }
}

function withoutAnnotations(schema: JsonSchema): JsonSchema {
  const entries = Object.entries(schema).filter(([key]) => !notValidated.has(key))
  return mapSubschemas(Object.fromEntries(entries), withoutAnnotations)
}

/** Without optimising the generated code: it is never run. */
function newValidator(): Ajv2020 {
  return new Ajv2020({
    strict: false,
    validateFormats: false,
    logger: false,
    addUsedSchema: false,
    code: { optimize: false },
  })
}
