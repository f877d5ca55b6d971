import type { Row } from '@crossfade/pipeline/transform.ts'
import { Type } from 'typebox'
import { inverse, isInjective, replaceValue, translate } from './columns.ts'
import { defineTransformer } from './transformer.ts'

type Recrypt = (encrypted: string) => string

/**
 * For tables of channels and their credentials: the type translated, and credentials encrypted anew by your functions. `recrypt` decrypts with the old key and encrypts with
 * the new one; it must be pure (a nonce derived from the content, not random), since copy, changes and verification must all get the same text. `restore` is its way back.
 * Reversible when the types are, and `restore` is given wherever `recrypt` is.
 */
export const channel = defineTransformer(
  'channel',
  Type.Object(
    {
      typeColumn: Type.Optional(Type.String({ minLength: 1 })),
      types: Type.Optional(Type.Record(Type.String(), Type.String())),
      credentialsColumn: Type.Optional(Type.String({ minLength: 1 })),
      recrypt: Type.Optional(Type.Unsafe<Recrypt>(Type.Any())),
      restore: Type.Optional(Type.Unsafe<Recrypt>(Type.Any())),
    },
    { additionalProperties: false },
  ),
  ({ typeColumn = 'channel_type', types = {}, credentialsColumn = 'encrypted_value', recrypt, restore }) => {
    const way = (map: Readonly<Record<string, string>>, crypt: Recrypt | undefined) => (row: Row) => {
      const now = crypt ? replaceValue(row, credentialsColumn, crypt) : row
      if (Object.keys(map).length === 0) return now
      return replaceValue(now, typeColumn, (value) => translate('channel', typeColumn, map, value, 'fail'))
    }
    const reversible = isInjective(types) && (recrypt === undefined || restore !== undefined)
    return { forward: way(types, recrypt), backward: reversible ? way(inverse(types), restore) : null }
  },
  'Channels: type translated, credentials encrypted anew.',
)
