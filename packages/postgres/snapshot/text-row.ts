import type { Text } from '@crossfade/pipeline/transform.ts'

/** The values of one row of COPY's text format (without the line's end), in column order. */
export function parseTextRow(line: string): Text[] {
  const fields = line.split('\t') as Text[]
  // A line without a backslash holds neither NULL nor an escape.
  if (line.includes('\\')) {
    for (let index = 0; index < fields.length; index += 1) fields[index] = unescapeText(fields[index]!)
  }
  return fields
}

/** One value of COPY's text format as PostgreSQL's text output: `\N` is NULL. */
export function unescapeText(field: string): Text {
  if (field === '\\N') return null
  let at = field.indexOf('\\')
  if (at < 0) return field
  let text = ''
  let from = 0
  while (at >= 0 && at + 1 < field.length) {
    const [character, length] = escaped(field, at + 1)
    text += field.slice(from, at) + character
    from = at + 1 + length
    at = field.indexOf('\\', from)
  }
  return text + field.slice(from)
}

/** The value as COPY's text format wants it. */
export function escapeText(value: Text): string {
  if (value === null) return '\\N'
  // Servers write and read only these in UTF8; all other characters stand for themselves.
  return special.test(value) ? value.replace(specials, (character) => escapes[character]!) : value
}

const special = /[\\\t\n\r\b\f\v]/
const specials = /[\\\t\n\r\b\f\v]/g
const escapes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
  '\b': '\\b',
  '\f': '\\f',
  '\v': '\\v',
}
const unescapes: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', b: '\b', f: '\f', v: '\v' }

/** What the escape at `at` (behind its backslash) stands for, and how many characters it takes. */
function escaped(field: string, at: number): readonly [string, number] {
  const character = field[at]!
  return [unescapes[character] ?? character, 1]
}
