import { readFileSync, statSync } from 'node:fs'
import { Failure, fail, reasonOf } from '@crossfade/model/failure.ts'
import { parse } from 'yaml'
import { placeInJson } from '../json-file.ts'
import { importBytesMax } from './imported-service.ts'

/** A JSON or YAML document of at most `importBytesMax` bytes. Throws CF10050 or CF10051. Nothing that it refers to is read. */
export function readDocument(file: string): unknown {
  let text: string
  try {
    const { size: bytes } = statSync(file)
    if (bytes > importBytesMax) throw fail('CF10051', { file, bytes, bytesMax: importBytesMax })
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof Failure) throw error
    throw fail('CF10050', { file, reason: reasonOf(error) }, error)
  }
  return parseDocumentText(text, file)
}

/** The same for a text. What comes out is plain JSON: YAML's references to itself are refused. */
export function parseDocumentText(text: string, file: string): unknown {
  const bytes = Buffer.byteLength(text)
  if (bytes > importBytesMax) throw fail('CF10051', { file, bytes, bytesMax: importBytesMax })
  if (/^\s*[{[]/.test(text)) return parseJson(text, file)
  try {
    const value: unknown = parse(text, { merge: true })
    JSON.stringify(value)
    return value
  } catch (error) {
    throw fail('CF10050', { file, reason: reasonOf(error).replace(/:$/, '') }, error)
  }
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const { reason, line, column } = placeInJson(text, error)
    throw fail('CF10050', { file, reason: `${reason} at line ${line}, column ${column}` }, error)
  }
}
