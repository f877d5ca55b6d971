// Arguments as the body of a request.
import { randomBytes } from 'node:crypto'
import type { CallBody } from '@crossfade/catalog/catalog.ts'
import { deepPairs, encodeStrictly, isObject, queryPairs, scalarText } from './parameter-styles.ts'

export interface EncodedBody {
  readonly contentType: string
  readonly content: string | Buffer
}

type Arguments = Readonly<Record<string, unknown>>
/** Ends the call with a sentence about one argument. */
export type RefuseArgument = (argument: string, reason: string) => never

/** The body for `values`, or null when it has none: no member is given, nothing is fixed, and none is required. */
export function encodeBody(body: CallBody, values: Arguments, refuse: RefuseArgument): EncodedBody | null {
  return body.kind === 'whole' ? wholeBody(body, values, refuse) : membersBody(body, values, refuse)
}

function wholeBody(
  body: Extract<CallBody, { kind: 'whole' }>,
  values: Arguments,
  refuse: RefuseArgument,
): EncodedBody | null {
  const value = values[body.argument]
  if (value === undefined) return body.required ? refuse(body.argument, 'is missing') : null
  const { contentType } = body
  if (body.encoding === 'json') return { contentType, content: JSON.stringify(value) }
  if (body.encoding === 'base64') return { contentType, content: bytesOf(value, body.argument, refuse) }
  return { contentType, content: scalarText(value) }
}

function membersBody(
  body: Extract<CallBody, { kind: 'members' }>,
  values: Arguments,
  refuse: RefuseArgument,
): EncodedBody | null {
  const given = body.members.filter((member) => values[member.argument] !== undefined)
  if (given.length === 0 && !body.required && body.fixed === undefined && body.argumentsIn === undefined) return null
  if (body.encoding === 'multipart') return multipart(body, given, values, refuse)
  const members: Record<string, unknown> = {}
  for (const member of given) define(members, member.name, values[member.argument])
  const wrapped = body.argumentsIn === undefined ? members : { [body.argumentsIn]: members }
  // What is fixed stands last: no argument takes its place.
  const whole: Record<string, unknown> = { ...wrapped, ...body.fixed }
  if (body.encoding === 'json') return { contentType: body.contentType, content: JSON.stringify(whole) }
  const pairs: string[] = []
  const styles = new Map(body.members.map((member) => [member.name, member.style]))
  for (const [name, value] of Object.entries(whole)) formPairs(name, value, styles.get(name), pairs)
  return { contentType: body.contentType, content: pairs.join('&') }
}

/** OpenAPI's default for forms is a repeated name for lists; objects have none that servers read, so they are written as `name[key]`. */
function formPairs(name: string, value: unknown, style: 'form' | 'deepObject' | undefined, pairs: string[]): void {
  if (style === 'deepObject' || (isObject(value) && style === undefined)) {
    deepPairs(encodeStrictly(name), value, encodeStrictly, pairs)
  } else if (Array.isArray(value) && value.some(isObject)) {
    deepPairs(encodeStrictly(name), value, encodeStrictly, pairs)
  } else {
    queryPairs({ name, style: 'form', explode: true }, value, encodeStrictly, pairs)
  }
}

/** Multipart form data as RFC 7578 and the HTML standard write it: lists as repeated parts, objects as JSON parts, binary members as files. */
function multipart(
  body: Extract<CallBody, { kind: 'members' }>,
  given: Extract<CallBody, { kind: 'members' }>['members'],
  values: Arguments,
  refuse: RefuseArgument,
): EncodedBody {
  const boundary = `crossfade-${randomBytes(18).toString('hex')}`
  const parts: Buffer[] = []
  const add = (name: string, headers: string, content: string | Buffer) => {
    const head = `--${boundary}\r\ncontent-disposition: form-data; name="${quoted(name)}"${headers}\r\n\r\n`
    parts.push(Buffer.from(head), Buffer.isBuffer(content) ? content : Buffer.from(content), crlf)
  }
  const addValue = (name: string, value: unknown) => {
    if (Array.isArray(value)) for (const item of value) addValue(name, item)
    else if (isObject(value)) add(name, '\r\ncontent-type: application/json', JSON.stringify(value))
    else if (value !== null) add(name, '', scalarText(value))
  }
  const fixed = body.fixed ?? {}
  for (const member of given) {
    if (Object.hasOwn(fixed, member.name)) continue
    const value = values[member.argument]
    if (!member.binary) {
      addValue(member.name, value)
      continue
    }
    for (const item of Array.isArray(value) ? value : [value]) {
      const file = `; filename="${quoted(member.name)}"\r\ncontent-type: application/octet-stream`
      add(member.name, file, bytesOf(item, member.argument, refuse))
    }
  }
  for (const [name, value] of Object.entries(fixed)) addValue(name, value)
  parts.push(Buffer.from(`--${boundary}--\r\n`))
  return { contentType: `multipart/form-data; boundary=${boundary}`, content: Buffer.concat(parts) }
}

const crlf = Buffer.from('\r\n')

/** A name in a part's header: the three characters that would end it are escaped as the HTML standard says. */
function quoted(name: string): string {
  return name.replace(/\r/g, '%0D').replace(/\n/g, '%0A').replace(/"/g, '%22')
}

const base64Pattern = /^[A-Za-z0-9+/_-]*={0,2}$/

function bytesOf(value: unknown, argument: string, refuse: RefuseArgument): Buffer {
  if (typeof value !== 'string') return refuse(argument, 'must be bytes as base64 text')
  const text = value.replace(/\s+/g, '')
  if (!base64Pattern.test(text)) return refuse(argument, 'is not base64')
  return Buffer.from(text, 'base64')
}

/** Sets a member without the meaning that `__proto__` has in an assignment. */
function define(target: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__') {
    Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true })
  } else {
    target[name] = value
  }
}
