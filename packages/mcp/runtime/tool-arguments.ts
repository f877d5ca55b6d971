// Arguments against a tool's inputSchema, told so that a model can correct them.
import type { JsonSchema } from '@crossfade/catalog/catalog.ts'
import { fail, reasonOf } from '@crossfade/model/failure.ts'
import type { ErrorObject, ValidateFunction } from 'ajv/dist/2020.js'
import { argumentLibrary } from '../upstream/call-libraries.ts'
import { addBoundedKeywords, boundedKeywords, newBudget } from './bounded-keywords.ts'

/** Compiled schemas kept in a worker; the longest unused go first. */
const compiledSchemasMax = 500
/** References followed in one check. Branches that contain themselves double the work with every level, and the worker is everybody's. */
const referencesFollowedMax = 20_000
/** Characters of a told value. */
const valueCharactersMax = 60

/** Checks arguments. Keeps compiled schemas, bounded. */
export interface ArgumentCheck {
  /** What is wrong with the arguments, in words that name the argument and what was expected; null when they are right. Throws CF13012 for a schema that does not compile. */
  reasonAgainst(toolName: string, schema: JsonSchema, given: Readonly<Record<string, unknown>>): string | null
}

/**
 * Makes a check by JSON Schema 2020-12. Formats are annotations, as the dialect has it. A pattern is checked where its cost is known to be small, and the
 * uniqueness of elements up to a number of them: a regular expression that a stranger wrote, or a long list, could block a worker that everybody shares.
 * The rest is left to the upstream, as are the names of `patternProperties`.
 */
export function createArgumentCheck(): ArgumentCheck {
  const compiled = new Map<JsonSchema, ValidateFunction>()
  let referencesFollowed = 0
  let budget = newBudget()

  function validator(toolName: string, schema: JsonSchema): ValidateFunction {
    const known = compiled.get(schema)
    if (known !== undefined) {
      // The map's order is the order of use.
      compiled.delete(schema)
      compiled.set(schema, known)
      return known
    }
    // One instance per schema: an instance remembers every schema it has seen.
    const library = argumentLibrary()
    const ajv = new library.Ajv2020({
      strict: false,
      validateFormats: false,
      // The catalog has checked it; without the meta-schemas an instance is cheap.
      validateSchema: false,
      meta: false,
      logger: false,
    })
    ajv.addKeyword({ keyword: followedKeyword, before: '$ref', schema: false, validate: followed })
    addBoundedKeywords(ajv, library, () => budget)
    let validate: ValidateFunction
    try {
      validate = ajv.compile(checkable(schema) as JsonSchema)
    } catch (error) {
      throw fail('CF13012', { tool: toolName, reason: reasonOf(error) }, error)
    }
    if (compiled.size >= compiledSchemasMax) compiled.delete(compiled.keys().next().value!)
    compiled.set(schema, validate)
    return validate
  }

  return {
    reasonAgainst(toolName, schema, given) {
      const validate = validator(toolName, schema)
      referencesFollowed = 0
      budget = newBudget()
      try {
        return validate(given) ? null : reason(validate.errors![0]!, given)
      } catch (error) {
        if (error instanceof TooMuchWork) return 'they are nested in too many ways to be checked'
        throw error
      }
    },
  }

  function followed(): boolean {
    if (++referencesFollowed > referencesFollowedMax) throw new TooMuchWork()
    return true
  }
}

class TooMuchWork extends Error {}

/** A keyword of ours beside every reference: counts how often it is followed. */
const followedKeyword = 'crossfadeFollowed'

/** A copy with our keywords for those that could take long. Where `patternProperties` stood, other members are not judged either. */
function checkable(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(checkable)
  if (schema === null || typeof schema !== 'object') return schema
  const hasPatternProperties = 'patternProperties' in schema && isSchemaMap(schema.patternProperties)
  const copy: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(schema)) {
    const ours = boundedKeywords.get(key)
    // What is no schema's keyword, but a member's name where members are expected, is an object.
    if (ours !== undefined && typeof value !== 'object') {
      copy[ours] = value
      continue
    }
    if (key === '$ref' || key === '$dynamicRef') copy[followedKeyword] = true
    if (key === 'enum' || key === 'const' || key === 'default' || key === 'examples') copy[key] = value
    else if (key === 'properties' || key === '$defs' || key === 'definitions') copy[key] = eachCheckable(value)
    else if (hasPatternProperties && (key === 'patternProperties' || key === 'additionalProperties')) continue
    // The dialect of a sub-schema would make ajv look for a meta-schema that it may not have.
    else if (key !== '$schema' && key !== '$id') copy[key] = checkable(value)
  }
  return copy
}

function eachCheckable(schemas: unknown): unknown {
  if (!isSchemaMap(schemas)) return schemas
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, checkable(schema)]))
}

function isSchemaMap(value: unknown): value is object {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

function reason(error: ErrorObject, given: unknown): string {
  const place = error.instancePath === '' ? '' : named(error.instancePath)
  const parameters = error.params as Readonly<Record<string, unknown>>
  switch (error.keyword) {
    case 'required':
      return `\`${joined(place, String(parameters['missingProperty']))}\` is missing`
    case 'additionalProperties':
    case 'unevaluatedProperties': {
      const extra = parameters['additionalProperty'] ?? parameters['unevaluatedProperty']
      return `\`${joined(place, short(String(extra)))}\` is no argument of it`
    }
    case 'type':
      return `\`${place || 'arguments'}\` must be ${[parameters['type']].flat().join(' or ')}, and is ${kindOf(valueAt(given, error.instancePath))}`
    case 'enum':
      return `\`${place || 'arguments'}\` must be one of ${short((parameters['allowedValues'] as unknown[]).map((value) => JSON.stringify(value)).join(', '), 300)}`
    case 'const':
      return `\`${place || 'arguments'}\` must be ${short(JSON.stringify(parameters['allowedValue']))}`
    default:
      return `\`${place || 'arguments'}\` ${error.message ?? 'is not as its schema says'}`
  }
}

/** `/labels/0/name` as a person writes it: `labels[0].name`. */
function named(pointer: string): string {
  let text = ''
  for (const part of pointer.slice(1).split('/')) {
    const member = part.replaceAll('~1', '/').replaceAll('~0', '~')
    text = /^\d+$/.test(member) ? `${text}[${member}]` : joined(text, short(member))
  }
  return text
}

function joined(place: string, member: string): string {
  return place === '' ? member : `${place}.${member}`
}

function valueAt(value: unknown, pointer: string): unknown {
  let at = value
  for (const part of pointer.split('/').slice(1)) {
    at = (at as Record<string, unknown> | undefined)?.[part.replaceAll('~1', '/').replaceAll('~0', '~')]
  }
  return at
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

function short(text: string, charactersMax: number = valueCharactersMax): string {
  return text.length <= charactersMax ? text : `${text.slice(0, charactersMax)}…`
}
