import { createHash } from 'node:crypto'
import { Type } from 'typebox'
import { replaceValue } from './columns.ts'
import { defineTransformer } from './transformer.ts'

const names = Type.Array(Type.String({ minLength: 1 }), { minItems: 1 })

/**
 * Hides the middle of values: `maskColumns({ columns: ['phone'], keepLast: 4 })` makes `+4912345678` into `*******5678`.
 * `email: true` keeps the domain. NULL stays NULL, lengths stay (in characters). Not reversible.
 */
export const maskColumns = defineTransformer(
  'maskColumns',
  Type.Object(
    {
      columns: names,
      keepFirst: Type.Optional(Type.Integer({ minimum: 0 })),
      keepLast: Type.Optional(Type.Integer({ minimum: 0 })),
      character: Type.Optional(Type.String({ minLength: 1 })),
      email: Type.Optional(Type.Boolean()),
    },
    { additionalProperties: false },
  ),
  ({ columns, keepFirst = 0, keepLast = 0, character = '*', email = false }) => {
    const hide = (value: string) => {
      const at = email ? value.lastIndexOf('@') : -1
      const [local, domain] = at < 0 ? [value, ''] : [value.slice(0, at), value.slice(at)]
      const letters = [...local]
      // What is too short to keep anything of is hidden whole.
      const kept = keepFirst + keepLast >= letters.length ? [0, letters.length] : [keepFirst, letters.length - keepLast]
      return (
        letters.map((letter, index) => (index < kept[0]! || index >= kept[1]! ? letter : character)).join('') + domain
      )
    }
    return {
      description: `maskColumns(${columns.join(', ')})`,
      forward: (row) => columns.reduce((current, column) => replaceValue(current, column, hide), row),
      backward: null,
    }
  },
  'Hides the middle of values.',
)

/**
 * Replaces values by their SHA-256 (hexadecimal), salted: equal values stay equal, so joins still work. NULL stays NULL. Not reversible.
 * The salt is no secret: values that can be guessed can be found by trying them.
 */
export const hashColumns = defineTransformer(
  'hashColumns',
  Type.Object(
    {
      columns: names,
      salt: Type.Optional(Type.String()),
      length: Type.Optional(Type.Integer({ minimum: 8, maximum: 64 })),
    },
    { additionalProperties: false },
  ),
  ({ columns, salt = '', length = 64 }) => {
    const digest = (value: string) => createHash('sha256').update(salt).update(value).digest('hex').slice(0, length)
    return {
      description: `hashColumns(${columns.join(', ')})`,
      forward: (row) => columns.reduce((current, column) => replaceValue(current, column, digest), row),
      backward: null,
    }
  },
  'Replaces values by their salted SHA-256.',
)
