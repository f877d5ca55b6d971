// JSON files that people write: what is wrong with one is told with its line.
import { readFileSync } from 'node:fs'
import { reasonOf } from '@crossfade/model/failure.ts'
import type { Finding } from '@crossfade/model/finding.ts'
import type { TSchema } from 'typebox'
import { isNode, LineCounter, parseDocument } from 'yaml'
import { catalogFinding } from './catalog-finding.ts'
import { explainSchema, pointerOf } from './schema-problems.ts'

export type ReadJson<T> =
  | { readonly value: T; readonly findings: readonly [] }
  | { readonly value: null; readonly findings: readonly Finding[] }

/** Reads `file` and checks it against `schema`. Never throws: trouble is in `findings`, with line and JSON pointer. */
export function readJsonFile<T>(file: string, schema: TSchema, subject: string): ReadJson<T> {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    return { value: null, findings: [catalogFinding('CF10006', 'block', subject, { file, reason: reasonOf(error) })] }
  }
  return parseJsonText<T>(text, file, schema, subject)
}

/** The same for a text that has been read; `file` is only named. */
export function parseJsonText<T>(text: string, file: string, schema: TSchema, subject: string): ReadJson<T> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return { value: null, findings: [brokenJson(text, file, subject, error)] }
  }
  const problems = explainSchema(schema, value)
  if (problems.length === 0) return { value: value as T, findings: [] }
  const lineAt = lineFinder(text)
  const findings = problems.map(({ path, reason }) =>
    catalogFinding('CF10002', 'block', subject, {
      file,
      pointer: pointerOf(path),
      line: lineAt(path),
      reason,
    }),
  )
  return { value: null, findings }
}

/** Finds the line (from 1) on which the value at a path of a JSON or YAML text begins; that of the nearest one above it where it is missing. */
export function lineFinder(text: string): (path: readonly (string | number)[]) => number {
  const lines = new LineCounter()
  // Every key is a text, as it is in a path: `200` in YAML as well.
  const document = parseDocument(text, { lineCounter: lines, schema: 'failsafe' })
  return (path) => {
    for (let length = path.length; length > 0; length--) {
      const node = document.getIn(path.slice(0, length), true)
      if (isNode(node) && node.range) return lines.linePos(node.range[0]).line
    }
    return 1
  }
}

function brokenJson(text: string, file: string, subject: string, error: unknown): Finding {
  return catalogFinding('CF10001', 'block', subject, { file, ...placeInJson(text, error) })
}

/** What `JSON.parse` complained of, and where. It names the place in most of its messages; where it does not, the text ended too early. */
export function placeInJson(text: string, error: unknown): { reason: string; line: number; column: number } {
  const message = error instanceof Error ? error.message : String(error)
  const position = /at position (\d+)/.exec(message)?.[1]
  const offset = position === undefined ? placeOfToken(text, message) : Number(position)
  const line = text.slice(0, offset).split('\n').length
  const column = offset - text.lastIndexOf('\n', offset - 1)
  const reason = message.replace(/ (in JSON )?at position .*$/s, '').replace(/, (\.\.\.)?".*is not valid JSON$/s, '')
  return { reason, line, column }
}

/** So many characters before an unexpected token V8 quotes. */
const quotedBefore = 10

/** For an unexpected token V8 quotes the text around it instead of its position: `Unexpected token 'x', ..."ab": xyz"... is not valid JSON`. */
function placeOfToken(text: string, message: string): number {
  const quoted = /^Unexpected token '(.)', (\.\.\.)?"(.*)"(?:\.\.\.)? is not valid JSON$/s.exec(message)
  if (!quoted) return text.length
  const [, token = '', cut, around = ''] = quoted
  const start = text.indexOf(around)
  if (start < 0) return text.length
  if (cut !== undefined) return start + quotedBefore
  const found = text.indexOf(token, start)
  return found < 0 ? start : found
}
