import { fail } from '@crossfade/model/failure.ts'
import { Type } from 'typebox'
import { replaceValue } from './columns.ts'
import { isJsonObject, type Json, jsonbText, parseJson, toJson } from './json-text.ts'
import { defineTransformer } from './transformer.ts'

const path = Type.Array(Type.String({ minLength: 1 }), { minItems: 1 })

/**
 * Sets a value inside a jsonb column: `jsonSet({ column: 'metadata', path: ['version'], value: 2 })`. Objects on the way are made. NULL stays NULL.
 * Reversible when the source never has the entry (`added: true`); a row that has it fails with CF1033 then. For `jsonb` columns: the result is printed as jsonb.
 */
export const jsonSet = defineTransformer(
  'jsonSet',
  Type.Object(
    {
      column: Type.String({ minLength: 1 }),
      path,
      value: Type.Unknown(),
      added: Type.Optional(Type.Boolean()),
    },
    { additionalProperties: false },
  ),
  ({ column, path, value, added = false }) => {
    const set = toJson(value)
    return {
      forward: (row) =>
        replaceValue(row, column, (text) => {
          const json = read('jsonSet', column, text)
          if (added && entryAt(json, path) !== undefined) {
            throw fail('CF1033', { name: 'jsonSet', column, reason: `${path.join('.')} is there already` })
          }
          if (added && path.length > 1 && !isJsonObject(entryAt(json, path.slice(0, -1)))) {
            throw fail('CF1033', {
              name: 'jsonSet',
              column,
              reason: `there is no object at ${path.slice(0, -1).join('.')}`,
            })
          }
          return jsonbText(withEntry(json, path, set))
        }),
      backward: added
        ? (row) =>
            replaceValue(row, column, (text) => jsonbText(withEntry(read('jsonSet', column, text), path, undefined)))
        : null,
    }
  },
  'Sets a value inside a jsonb column.',
)

/** Removes an entry inside a jsonb column. NULL stays NULL. Not reversible. */
export const jsonRemove = defineTransformer(
  'jsonRemove',
  Type.Object({ column: Type.String({ minLength: 1 }), path }, { additionalProperties: false }),
  ({ column, path }) => ({
    forward: (row) =>
      replaceValue(row, column, (text) => jsonbText(withEntry(read('jsonRemove', column, text), path, undefined))),
    backward: null,
  }),
  'Removes an entry inside a jsonb column.',
)

/** Parses a column's JSON; CF1033 when it is none. */
export function read(name: string, column: string, text: string): Json {
  try {
    return parseJson(text)
  } catch {
    throw fail('CF1033', { name, column, reason: 'it is not JSON' })
  }
}

function entryAt(json: Json, path: readonly string[]): Json | undefined {
  let current: Json | undefined = json
  for (const step of path) current = isJsonObject(current) && Object.hasOwn(current, step) ? current[step] : undefined
  return current
}

/** A copy with the entry set, or removed when it is undefined. Whatever is no object on the way stays as it is. */
function withEntry(json: Json, path: readonly string[], value: Json | undefined): Json {
  const [step, ...rest] = path as [string, ...string[]]
  if (!isJsonObject(json)) return json
  if (rest.length > 0) {
    const below = Object.hasOwn(json, step) ? json[step]! : value === undefined ? undefined : {}
    return below === undefined ? json : { ...json, [step]: withEntry(below, rest, value) }
  }
  if (value !== undefined) return { ...json, [step]: value }
  return Object.fromEntries(Object.entries(json).filter(([key]) => key !== step))
}
