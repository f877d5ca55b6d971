// Whether a schema is one that a validator can work with.
import { reasonOf } from '@crossfade/model/failure.ts'
import { Ajv2020 } from 'ajv/dist/2020.js'
import type { JsonSchema } from './catalog.ts'

/** A validator keeps all that it has compiled; after this many it is replaced. */
const schemasPerValidatorMax = 500

/** Tells why a schema does not compile, or null. Formats are not looked at: they are hints here. */
export type SchemaCheck = (schema: JsonSchema) => string | null

/** A check that remembers nothing but its validator. */
export function schemaCheck(): SchemaCheck {
  let validator = newValidator()
  let compiled = 0
  return (schema) => {
    if (++compiled > schemasPerValidatorMax) {
      validator = newValidator()
      compiled = 1
    }
    try {
      validator.compile(schema)
      return null
    } catch (error) {
      return reasonOf(error)
    }
  }
}

function newValidator(): Ajv2020 {
  return new Ajv2020({ strict: false, validateFormats: false, logger: false, addUsedSchema: false })
}
