// The members of a form, each as OpenAPI's Encoding Object has it (3.0.4 and 3.1.1): like a query parameter where the description gives it a style, by its
// content type where not.
import { randomBytes } from 'node:crypto'
import type { BodyMember } from '@crossfade/catalog/catalog.ts'
import { fileKindOf } from './file-kinds.ts'
import { encodeReserved, encodeStrictly, isContainer, queryPairs, scalarText } from './parameter-styles.ts'

/** A member with its value; of a fixed one the name is all that is said. */
export interface FormValue {
  readonly member: Omit<BodyMember, 'argument'>
  /** Bytes of files are bytes already. */
  readonly value: unknown
}

/** `application/x-www-form-urlencoded`, with `%20` for a space. Null members and empty lists are left out. */
export function urlEncodedForm(values: readonly FormValue[]): string {
  const pairs: string[] = []
  for (const { member, value } of values) {
    if (member.style !== undefined) {
      queryPairs(styled(member), value, member.allowReserved ? encodeReserved : encodeStrictly, pairs)
      continue
    }
    for (const item of itemsOf(value)) {
      pairs.push(`${encodeStrictly(member.name)}=${encodeStrictly(contentText(item, member.contentType))}`)
    }
  }
  return pairs.join('&')
}

/** `multipart/form-data` as RFC 7578 and the HTML standard write it: each element of a list is a part of its own. */
export function multipartForm(values: readonly FormValue[]): {
  readonly contentType: string
  readonly content: Buffer
} {
  const boundary = `crossfade-${randomBytes(18).toString('hex')}`
  const pieces: Buffer[] = []
  const add = (name: string, headers: string, content: string | Buffer) => {
    const head = `--${boundary}\r\ncontent-disposition: form-data; name="${quoted(name)}"${headers}\r\n\r\n`
    pieces.push(Buffer.from(head), Buffer.isBuffer(content) ? content : Buffer.from(content), crlf)
  }
  for (const { member, value } of values) {
    if (member.style !== undefined) {
      for (const [name, text] of styledParts(member, value)) add(name, '', text)
      continue
    }
    for (const item of itemsOf(value)) {
      if (Buffer.isBuffer(item)) add(member.name, fileHeaders(member, item), item)
      else add(member.name, typeHeader(typeOfPart(item, member.contentType)), contentText(item, member.contentType))
    }
  }
  pieces.push(Buffer.from(`--${boundary}--\r\n`))
  return { contentType: `multipart/form-data; boundary=${boundary}`, content: Buffer.concat(pieces) }
}

const crlf = Buffer.from('\r\n')

function styled({ name, style = 'form', explode = false }: FormValue['member']) {
  return { name, style, explode }
}

/** What stands in a query percent-encoded stands in parts as it is. */
function styledParts(member: FormValue['member'], value: unknown): (readonly [name: string, text: string])[] {
  const pairs: string[] = []
  queryPairs(styled(member), value, encodeStrictly, pairs)
  return pairs.map((pair) => {
    const end = pair.indexOf('=')
    return [decodeURIComponent(pair.slice(0, end)), decodeURIComponent(pair.slice(end + 1))]
  })
}

/** A list's elements are written one by one under the same name. */
function itemsOf(value: unknown): unknown[] {
  return (Array.isArray(value) ? value : [value]).filter((item) => item !== undefined && item !== null)
}

/** As JSON where the description says so; else a scalar as text, and an object as JSON. */
function contentText(item: unknown, contentType: string | undefined): string {
  const isJson = contentType !== undefined && /[/+]json\b/i.test(contentType)
  return isJson ? JSON.stringify(item) : scalarText(item)
}

/** Null for plain text, which is what a part without a type is (RFC 7578, 4.4). */
function typeOfPart(item: unknown, contentType: string | undefined): string | null {
  if (contentType === undefined) return isContainer(item) ? 'application/json' : null
  return typesIn(contentType).find((type) => !type.includes('*')) ?? null
}

function typeHeader(type: string | null): string {
  return type === null ? '' : `\r\ncontent-type: ${type}`
}

/** Of the types that the description allows the one that the file is of; its name has the ending by which many servers go. */
function fileHeaders({ name, contentType }: FormValue['member'], bytes: Buffer): string {
  const kind = fileKindOf(bytes)
  const types = typesIn(contentType ?? '')
  const own = kind === null ? undefined : types.find((type) => covers(type, kind.type))
  const type =
    own === undefined ? (types.find((each) => !each.includes('*')) ?? 'application/octet-stream') : kind!.type
  return `; filename="${quoted(kind === null ? name : `${name}.${kind.ending}`)}"${typeHeader(type)}`
}

function typesIn(list: string): string[] {
  return list
    .split(',')
    .map((type) => type.trim())
    .filter((type) => type !== '')
}

function covers(allowed: string, type: string): boolean {
  const bare = allowed.split(';')[0]!.trim().toLowerCase()
  return bare === type || bare === '*/*' || (bare.endsWith('/*') && type.startsWith(bare.slice(0, -1)))
}

/** A name in a part's header: the three characters that would end it are escaped as the HTML standard says. */
function quoted(name: string): string {
  return name.replace(/\r/g, '%0D').replace(/\n/g, '%0A').replace(/"/g, '%22')
}
