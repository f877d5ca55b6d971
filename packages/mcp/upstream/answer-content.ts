// An upstream's answer as the content of an MCP result.
import type { Tool } from '@crossfade/catalog/catalog.ts'
import type { CallToolResult } from '@modelcontextprotocol/server'
import { declaredType, jsonText, textOf } from './answer-text.ts'
import { cutList } from './cut-list.ts'
import type { AnswerHeaders } from './exchange.ts'
import { fileKindOf } from './file-kinds.ts'
import { lessAtOnce, nextPageHint } from './next-page.ts'

/** Text that one result holds at most; a longer list is cut, any other longer text is cut with a note. */
export const textCharactersMax = 1_000_000
/** Bytes of a picture, sound or file that one result holds; base64 makes a third more of it. */
export const binaryBytesMax = 5_242_880

/** Null: the answer is too large to be given as it is and cannot be cut. */
export function answerResult(
  body: Buffer,
  headers: AnswerHeaders,
  status: number,
  tool: Tool,
  serviceType: string,
  limits: { readonly textCharactersMax: number; readonly binaryBytesMax: number },
): CallToolResult | null {
  if (body.length === 0) return textResult(`${status}: done; the upstream answered nothing more.`)
  const declared = declaredType(headers)
  const json = declared.type === '' ? looksLikeJson(body) : isJsonType(declared.type)
  if (json) {
    const result = jsonResult(jsonText(body, declared.charset), tool, limits.textCharactersMax)
    if (result !== undefined) return result === null ? null : withNextPage(result, headers, tool)
  }
  const binary = json ? null : binaryTypeOf(body, declared.type)
  if (binary !== null) {
    if (body.length > limits.binaryBytesMax) return null
    return binaryResult(body, binary, tool, serviceType)
  }
  const text = textOf(body, declared.charset)
  if (text.length <= limits.textCharactersMax) return withNextPage(textResult(text), headers, tool)
  const note = `Only the first ${limits.textCharactersMax} of ${text.length} characters are shown: the text is incomplete. Ask for ${lessAtOnce(tool)}.`
  return textResult(text.slice(0, limits.textCharactersMax), note)
}

/** With a sentence on how to go on, where the upstream says in its headers that there is more. */
function withNextPage(result: CallToolResult, headers: AnswerHeaders, tool: Tool): CallToolResult {
  const hint = nextPageHint(headers, tool)
  return hint === null ? result : { ...result, content: [...result.content, { type: 'text', text: hint }] }
}

/** Undefined when the text is no JSON after all; null when it is too large to be cut. */
function jsonResult(text: string, tool: Tool, charactersMax: number): CallToolResult | null | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (text.length > charactersMax) {
    const cut = cutList(value, charactersMax)
    if (cut === null) return null
    const note = `Only the first ${cut.kept} of ${cut.total} items${cut.where} are shown: the answer is too large. Ask for ${lessAtOnce(tool)}.`
    return textResult(cut.text, note)
  }
  // Without an output schema any object may be structured content; lists and scalars may not in every revision.
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return textResult(text)
  return { content: [{ type: 'text', text }], structuredContent: value as Record<string, unknown> }
}

function textResult(...texts: string[]): CallToolResult {
  return { content: texts.map((text) => ({ type: 'text', text })) }
}

function binaryResult(body: Buffer, mimeType: string, tool: Tool, serviceType: string): CallToolResult {
  const data = body.toString('base64')
  if (mimeType.startsWith('image/')) return { content: [{ type: 'image', data, mimeType }] }
  if (mimeType.startsWith('audio/')) return { content: [{ type: 'audio', data, mimeType }] }
  // Not the upstream's URL: that may hold a key.
  const uri = `crossfade://${serviceType}/${encodeURIComponent(tool.name)}`
  return { content: [{ type: 'resource', resource: { uri, mimeType, blob: data } }] }
}

function isJsonType(type: string): boolean {
  return type === 'application/json' || type.endsWith('+json') || type === 'text/json' || type === 'text/javascript'
}

function looksLikeJson(body: Buffer): boolean {
  return body[0] === 0x7b || body[0] === 0x5b
}

/** The type of an answer that is no text; null when it is text. The first bytes have the last word over what was declared. */
function binaryTypeOf(body: Buffer, declared: string): string | null {
  if (isTextType(declared)) return null
  const kind = fileKindOf(body)
  if (kind !== null) return kind.type
  const isText = !body.subarray(0, 1024).includes(0) && isUtf8Start(body)
  if (isText) return null
  // Bytes that are no picture are not called one: a client would try to show them.
  const known = /^(?:image|audio)\/(?:png|jpeg|gif|webp|avif|mpeg|aac|ogg|wav|flac)$/.test(declared)
  return declared === '' || known ? 'application/octet-stream' : declared
}

function isTextType(type: string): boolean {
  return (
    type.startsWith('text/') ||
    type.endsWith('+xml') ||
    type.endsWith('/xml') ||
    type === 'application/x-www-form-urlencoded'
  )
}

function isUtf8Start(body: Buffer): boolean {
  try {
    // `stream`: a character cut at the end is no error.
    new TextDecoder('utf-8', { fatal: true }).decode(body.subarray(0, 1024), { stream: true })
    return true
  } catch {
    return false
  }
}
