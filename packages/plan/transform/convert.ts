import { fail } from '@crossfade/model/failure.ts'
import { Type } from 'typebox'
import { replaceValue } from './columns.ts'
import { clockAt, formatTimestamp, momentOf, parseTimestamp } from './timestamp.ts'
import { defineTransformer } from './transformer.ts'

interface Conversion {
  readonly forward: (value: string, refuse: (reason: string) => never) => string
  readonly backward: (value: string, refuse: (reason: string) => never) => string
}

const integer = /^-?\d{1,15}$/

/** Seconds or milliseconds since 1970 and `timestamptz`. */
function epoch(microsecondsPerUnit: bigint): Conversion {
  return {
    forward: (value, refuse) => {
      if (!integer.test(value)) return refuse('it is not an integer')
      return formatTimestamp(BigInt(value) * microsecondsPerUnit, true)
    },
    backward: (value, refuse) => {
      const parsed = parseTimestamp(value)
      if (!parsed || parsed.offset === null) return refuse('it is not a timestamp with time zone')
      const moment = parsed.clock - BigInt(parsed.offset) * 1_000_000n
      if (moment % microsecondsPerUnit !== 0n) return refuse('it is finer than the source can hold')
      return String(moment / microsecondsPerUnit)
    },
  }
}

function pairs(values: readonly (readonly [string, string])[]): Conversion {
  const from = new Map(values)
  const back = new Map(values.map(([a, b]) => [b, a]))
  return {
    forward: (value, refuse) => from.get(value) ?? refuse('it is not one of the values of its type'),
    backward: (value, refuse) => back.get(value) ?? refuse('it is not one of the values of its type'),
  }
}

const conversions = {
  'epoch-seconds to timestamptz': epoch(1_000_000n),
  'epoch-milliseconds to timestamptz': epoch(1000n),
  'boolean to integer': pairs([
    ['t', '1'],
    ['f', '0'],
  ]),
  'integer to boolean': pairs([
    ['1', 't'],
    ['0', 'f'],
  ]),
  'boolean to yes-no': pairs([
    ['t', 'yes'],
    ['f', 'no'],
  ]),
  'text to integer': {
    forward: (value, refuse) => (/^(0|-?[1-9]\d*)$/.test(value) ? value : refuse('it is not a plain integer')),
    backward: (value) => value,
  },
  'integer to text': { forward: (value) => value, backward: (value) => value },
} satisfies Record<string, Conversion>

const kinds = Object.keys(conversions) as (keyof typeof conversions)[]

/**
 * Converts the values of columns between types: `convertColumns({ columns: ['created'], as: 'epoch-seconds to timestamptz' })`. NULL stays NULL; a value that
 * the other type cannot hold exactly fails with CF1033. Reversible.
 */
export const convertColumns = defineTransformer(
  'convertColumns',
  Type.Object(
    {
      columns: Type.Array(Type.String({ minLength: 1 }), { minItems: 1 }),
      as: Type.Unsafe<keyof typeof conversions>(Type.Union(kinds.map((kind) => Type.Literal(kind)))),
    },
    { additionalProperties: false },
  ),
  ({ columns, as }) => {
    const conversion: Conversion = conversions[as]
    const refuse = (column: string) => (reason: string) => {
      throw fail('CF1033', { name: 'convertColumns', column, reason })
    }
    return {
      description: `convertColumns(${columns.join(', ')}: ${as})`,
      forward: (row) =>
        columns.reduce(
          (now, column) => replaceValue(now, column, (value) => conversion.forward(value, refuse(column))),
          row,
        ),
      backward: (row) =>
        columns.reduce(
          (now, column) => replaceValue(now, column, (value) => conversion.backward(value, refuse(column))),
          row,
        ),
    }
  },
  'Converts the values of columns between types.',
)

/**
 * Takes `timestamp` columns that hold the clock time of a zone to UTC: `timestampsToUtc({ columns: ['created_at'], timezone: 'Europe/Berlin' })`.
 * The target's columns are `timestamptz`, or `timestamp` with `to: 'timestamp'`. NULL and infinity stay. Reversible, but for clock times that the zone skips or has
 * twice (an hour a year each).
 */
export const timestampsToUtc = defineTransformer(
  'timestampsToUtc',
  Type.Object(
    {
      columns: Type.Array(Type.String({ minLength: 1 }), { minItems: 1 }),
      timezone: Type.String({ minLength: 1 }),
      to: Type.Optional(Type.Union([Type.Literal('timestamptz'), Type.Literal('timestamp')])),
    },
    { additionalProperties: false },
  ),
  ({ columns, timezone, to = 'timestamptz' }) => {
    momentOf(0n, timezone)
    const convert = (column: string, value: string, way: (microseconds: bigint) => bigint, zone: boolean) => {
      if (value === 'infinity' || value === '-infinity') return value
      const parsed = parseTimestamp(value)
      if (!parsed) throw fail('CF1033', { name: 'timestampsToUtc', column, reason: 'it is not a timestamp' })
      return formatTimestamp(way(parsed.clock - BigInt(parsed.offset ?? 0) * 1_000_000n), zone)
    }
    const all = (row: Parameters<typeof replaceValue>[0], way: (microseconds: bigint) => bigint, zone: boolean) =>
      columns.reduce((now, column) => replaceValue(now, column, (value) => convert(column, value, way, zone)), row)
    return {
      description: `timestampsToUtc(${columns.join(', ')})`,
      forward: (row) => all(row, (clock) => momentOf(clock, timezone), to === 'timestamptz'),
      backward: (row) => all(row, (moment) => clockAt(moment, timezone), false),
    }
  },
  'Takes timestamps in the clock time of a zone to UTC.',
)
