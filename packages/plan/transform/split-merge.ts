import { fail } from '@crossfade/model/failure.ts'
import type { Row, Text } from '@crossfade/pipeline/transform.ts'
import { Type } from 'typebox'
import { without } from './columns.ts'
import { defineTransformer } from './transformer.ts'

const columnList = Type.Array(Type.String({ minLength: 1 }), { minItems: 2 })

/**
 * Splits a column at a separator: `splitColumn({ column: 'name', into: ['first', 'last'], separator: ' ' })`. The last part takes the rest; parts
 * that are not there are NULL. Reversible.
 */
export const splitColumn = defineTransformer(
  'splitColumn',
  Type.Object(
    { column: Type.String({ minLength: 1 }), into: columnList, separator: Type.String({ minLength: 1 }) },
    { additionalProperties: false },
  ),
  ({ column, into, separator }) => ({
    forward: (row) => ({ ...without(row, [column]), ...split(row[column] ?? null, into, separator) }),
    backward: (row) => ({ ...without(row, into), [column]: merge('splitColumn', row, into, separator) }),
  }),
  'Splits a column at a separator.',
)

/**
 * Joins columns by a separator: `mergeColumns({ columns: ['first', 'last'], into: 'name', separator: ' ' })`. Reversible, for which only the last
 * value may hold the separator and NULLs may only stand at the end; a row that breaks this fails with CF1033.
 */
export const mergeColumns = defineTransformer(
  'mergeColumns',
  Type.Object(
    { columns: columnList, into: Type.String({ minLength: 1 }), separator: Type.String({ minLength: 1 }) },
    { additionalProperties: false },
  ),
  ({ columns, into, separator }) => ({
    forward: (row) => ({ ...without(row, columns), [into]: merge('mergeColumns', row, columns, separator) }),
    backward: (row) => ({ ...without(row, [into]), ...split(row[into] ?? null, columns, separator) }),
  }),
  'Joins columns by a separator.',
)

function split(value: Text, into: readonly string[], separator: string): Record<string, Text> {
  const parts: Record<string, Text> = Object.fromEntries(into.map((column) => [column, null]))
  let rest = value
  for (const [index, column] of into.entries()) {
    if (rest === null) break
    const at = index === into.length - 1 ? -1 : rest.indexOf(separator)
    parts[column] = at < 0 ? rest : rest.slice(0, at)
    rest = at < 0 ? null : rest.slice(at + separator.length)
  }
  return parts
}

function merge(name: string, row: Row, columns: readonly string[], separator: string): Text {
  const values = columns.map((column) => row[column] ?? null)
  const present = values.filter((value) => value !== null)
  for (const [index, column] of columns.entries()) {
    const value = values[index]
    if (value === null && index < present.length) {
      throw fail('CF1033', { name, column, reason: 'it is NULL while a later part is not' })
    }
    if (value?.includes(separator) && index < columns.length - 1) {
      throw fail('CF1033', { name, column, reason: 'it holds the separator' })
    }
  }
  return present.length === 0 ? null : present.join(separator)
}
