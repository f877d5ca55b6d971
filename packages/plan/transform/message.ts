import { fail } from '@crossfade/model/failure.ts'
import { Type } from 'typebox'
import { inverse, isInjective, replaceValue, translate } from './columns.ts'
import { read } from './json.ts'
import { isJsonObject, jsonbText } from './json-text.ts'
import { defineTransformer } from './transformer.ts'

/**
 * For tables of messages: the content in one Unicode form (NFC) with `\n` line ends and no blanks at its end, entries of the jsonb metadata renamed, the status
 * translated. Reversible while the content is kept (`content: 'keep'`), since a normalised text does not say what it was before.
 */
export const message = defineTransformer(
  'message',
  Type.Object(
    {
      contentColumn: Type.Optional(Type.String({ minLength: 1 })),
      content: Type.Optional(Type.Union([Type.Literal('normalise'), Type.Literal('keep')])),
      metadataColumn: Type.Optional(Type.String({ minLength: 1 })),
      metadataKeys: Type.Optional(Type.Record(Type.String(), Type.String({ minLength: 1 }))),
      statusColumn: Type.Optional(Type.String({ minLength: 1 })),
      statuses: Type.Optional(Type.Record(Type.String(), Type.String())),
    },
    { additionalProperties: false },
  ),
  (options) => {
    const {
      contentColumn = 'content',
      content = 'normalise',
      metadataColumn = 'metadata',
      statusColumn = 'status',
    } = options
    const { metadataKeys = {}, statuses = {} } = options
    const hasStatuses = Object.keys(statuses).length > 0
    const way =
      (keys: Readonly<Record<string, string>>, map: Readonly<Record<string, string>>, normalise: boolean) =>
      (row: Parameters<typeof replaceValue>[0]) => {
        let now = normalise ? replaceValue(row, contentColumn, normaliseText) : row
        if (Object.keys(keys).length > 0) {
          now = replaceValue(now, metadataColumn, (text) => renameEntries(metadataColumn, text, keys))
        }
        if (!hasStatuses) return now
        return replaceValue(now, statusColumn, (value) => translate('message', statusColumn, map, value, 'fail'))
      }
    const reversible = content === 'keep' && isInjective(metadataKeys) && isInjective(statuses)
    return {
      forward: way(metadataKeys, statuses, content === 'normalise'),
      backward: reversible ? way(inverse(metadataKeys), inverse(statuses), false) : null,
    }
  },
  'Messages: content normalised, metadata entries renamed, status translated.',
)

function normaliseText(text: string): string {
  return text.normalize('NFC').replace(/\r\n?/g, '\n').trimEnd()
}

function renameEntries(column: string, text: string, keys: Readonly<Record<string, string>>): string {
  const json = read('message', column, text)
  if (!isJsonObject(json)) return text
  const renamed: Record<string, (typeof json)[string]> = {}
  for (const [key, value] of Object.entries(json)) {
    const name = Object.hasOwn(keys, key) ? keys[key]! : key
    // An entry that already has a new name could not be told from a renamed one on the way back.
    const isTaken = Object.hasOwn(renamed, name) || (!Object.hasOwn(keys, key) && Object.values(keys).includes(key))
    if (isTaken) throw fail('CF1033', { name: 'message', column, reason: `the entry ${name} is there already` })
    renamed[name] = value
  }
  return jsonbText(renamed)
}
