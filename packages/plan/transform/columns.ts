import { fail } from '@crossfade/model/failure.ts'
import type { Row, Text } from '@crossfade/pipeline/transform.ts'
import { Type } from 'typebox'
import { defineTransformer } from './transformer.ts'

const names = Type.Array(Type.String({ minLength: 1 }), { minItems: 1 })
const text = Type.Union([Type.String(), Type.Null()])

/** Gives columns other names: `renameColumns({ columns: { mail: 'email' } })`. Reversible. */
export const renameColumns = defineTransformer(
  'renameColumns',
  Type.Object({ columns: Type.Record(Type.String(), Type.String({ minLength: 1 })) }, { additionalProperties: false }),
  ({ columns }) => ({
    forward: (row) => renameKeys(row, columns),
    backward: isInjective(columns) ? (row) => renameKeys(row, inverse(columns)) : null,
  }),
  'Gives columns other names.',
)

/** Leaves columns out. Not reversible. */
export const dropColumns = defineTransformer(
  'dropColumns',
  Type.Object({ columns: names }, { additionalProperties: false }),
  ({ columns }) => ({ forward: (row) => without(row, columns), backward: null }),
  'Leaves columns out.',
)

/**
 * Translates the values of a column: `mapValues({ column: 'status', values: { A: 'active' } })`. NULL stays NULL.
 * A value that is not listed fails with CF1033, or stays with `otherwise: 'keep'`. Reversible when no two values become the same one; with
 * `keep` only when the new values are listed too, since a kept value could not be told from a translated one.
 */
export const mapValues = defineTransformer(
  'mapValues',
  Type.Object(
    {
      column: Type.String({ minLength: 1 }),
      values: Type.Record(Type.String(), Type.String()),
      otherwise: Type.Optional(Type.Union([Type.Literal('fail'), Type.Literal('keep')])),
    },
    { additionalProperties: false },
  ),
  ({ column, values, otherwise = 'fail' }) => {
    const closed = Object.values(values).every((value) => Object.hasOwn(values, value))
    const way = (map: Readonly<Record<string, string>>) => (row: Row) =>
      replaceValue(row, column, (value) => translate('mapValues', column, map, value, otherwise))
    return {
      forward: way(values),
      backward: isInjective(values) && (otherwise === 'fail' || closed) ? way(inverse(values)) : null,
    }
  },
  'Translates the values of a column.',
)

/**
 * Gives a column one value in every row. Reversible when the source's value is told by `was`, or the column exists on the target alone (`added: true`).
 */
export const constant = defineTransformer(
  'constant',
  Type.Object(
    {
      column: Type.String({ minLength: 1 }),
      value: text,
      was: Type.Optional(text),
      added: Type.Optional(Type.Boolean()),
    },
    { additionalProperties: false },
  ),
  ({ column, value, was, added = false }) => ({
    forward: (row) => ({ ...row, [column]: value }),
    backward: added ? (row) => without(row, [column]) : was !== undefined ? (row) => ({ ...row, [column]: was }) : null,
  }),
  'Gives a column one value in every row.',
)

/** The row without some columns. */
export function without(row: Row, columns: readonly string[]): Row {
  return Object.fromEntries(Object.entries(row).filter(([name]) => !columns.includes(name)))
}

/** The row with one value replaced; NULL and missing columns stay as they are. */
export function replaceValue(row: Row, column: string, replace: (value: string) => Text): Row {
  const value = row[column]
  return value === null || value === undefined ? row : { ...row, [column]: replace(value) }
}

/** What `map` makes of a value; one that is not in it is kept or refused with CF1033. */
export function translate(
  transformer: string,
  column: string,
  map: Readonly<Record<string, string>>,
  value: string,
  otherwise: 'fail' | 'keep',
): string {
  if (Object.hasOwn(map, value)) return map[value]!
  if (otherwise === 'keep') return value
  throw fail('CF1033', { name: transformer, column, reason: 'it is not among the values that are mapped' })
}

/** Whether no two values are mapped to the same one, so that there is a way back. */
export function isInjective(map: Readonly<Record<string, string>>): boolean {
  return new Set(Object.values(map)).size === Object.keys(map).length
}

/** The way back of an injective map. */
export function inverse(map: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [value, key]))
}

function renameKeys(row: Row, columns: Readonly<Record<string, string>>): Row {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [columns[name] ?? name, value]))
}
