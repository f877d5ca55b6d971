// Values in the styles of OpenAPI (3.0.4 and 3.1.1, "Parameter Object" and RFC 6570, which it refers to). Pure text in, pure text out.
import type { CallParameter } from '@crossfade/catalog/catalog.ts'

type Style = Pick<CallParameter, 'name' | 'style' | 'explode' | 'content'>
/** Makes text safe for its place. */
export type Encode = (text: string) => string

/** Everything but unreserved characters as %XX: what RFC 3986 lets stand in any component without a meaning of its own. */
export function encodeStrictly(text: string): string {
  if (unreservedPattern.test(text)) return text
  // Lone halves of surrogate pairs can't be UTF-8; they become U+FFFD, as in every URL parser, instead of a URIError.
  return encodeURIComponent(text.toWellFormed()).replace(/[!'()*]/g, percentEncoded)
}

/**
 * For `allowReserved`, as RFC 6570's reserved expansion: reserved characters and `%XX` stay as they are. Not so the characters that would end the value
 * (`#`, `&`, `+`, `[`, `]`): OpenAPI leaves their encoding to whoever sends.
 */
export function encodeReserved(text: string): string {
  return encodeURI(text.toWellFormed())
    .replace(/%25([0-9A-Fa-f]{2})/g, '%$1')
    .replace(/[#&+[\]]/g, percentEncoded)
}

/** RFC 3986 `unreserved`: what most arguments are made of. */
const unreservedPattern = /^[A-Za-z0-9._~-]*$/

function percentEncoded(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`
}

/** What stands between the elements of a list that is one text. */
function separatorOf(style: CallParameter['style'], encode: Encode): string {
  if (style === 'spaceDelimited') return encode(' ')
  if (style === 'pipeDelimited') return encode('|')
  return style === 'tabDelimited' ? encode('\t') : ','
}

/**
 * The value of a parameter in a path or a header; null when there is none (an empty array or object; an empty text, save in `matrix`, which writes its name).
 * Nested values, for which OpenAPI defines nothing, are JSON.
 */
export function pathText(parameter: Style, value: unknown, encode: Encode): string | null {
  const { style, explode, content } = parameter
  if (content !== undefined) return encode(content === 'json' ? JSON.stringify(value) : scalarText(value)) || null
  const prefix = style === 'label' ? '.' : style === 'matrix' ? ';' : ''
  const isMatrix = style === 'matrix'
  if (Array.isArray(value)) {
    if (value.length === 0) return null
    const items = value.map((item) => encode(scalarText(item)))
    if (isMatrix && explode) return items.map((item) => matrixText(encodeStrictly(parameter.name), item)).join('')
    const joined = items.join((explode && prefix) || separatorOf(style, encode))
    return isMatrix ? matrixText(encodeStrictly(parameter.name), joined) : prefix + joined
  }
  if (isObject(value)) {
    const members = definedMembers(value).map(([key, item]) => [encode(key), encode(scalarText(item))] as const)
    if (members.length === 0) return null
    if (!explode) {
      const flat = members.flat().join(separatorOf(style, encode))
      return isMatrix ? matrixText(encodeStrictly(parameter.name), flat) : prefix + flat
    }
    if (isMatrix) return members.map(([key, item]) => matrixText(key, item)).join('')
    return prefix + members.map((pair) => pair.join('=')).join(prefix || ',')
  }
  const text = encode(scalarText(value))
  if (isMatrix) return matrixText(encodeStrictly(parameter.name), text)
  return text === '' ? null : prefix + text
}

/** RFC 6570, 3.2.7: no `=` before nothing. */
function matrixText(name: string, value: string): string {
  return value === '' ? `;${name}` : `;${name}=${value}`
}

/**
 * Adds the `name=value` pairs of a parameter in a query, a cookie or a form. Null and empty lists add nothing. Of what OpenAPI leaves undefined, exploded
 * lists of every style are repeated names, and separated objects are as `form` writes them.
 */
export function queryPairs(parameter: Style, value: unknown, encode: Encode, pairs: string[]): void {
  if (value === undefined || value === null) return
  const name = encodeStrictly(parameter.name)
  if (parameter.content !== undefined) {
    pairs.push(`${name}=${encode(parameter.content === 'json' ? JSON.stringify(value) : scalarText(value))}`)
    return
  }
  if (parameter.style === 'deepObject') {
    deepPairs(name, value, encode, pairs)
    return
  }
  if (Array.isArray(value)) {
    if (value.length === 0) return
    const items = value.map((item) => encode(scalarText(item)))
    if (parameter.explode) for (const item of items) pairs.push(`${name}=${item}`)
    else pairs.push(`${name}=${items.join(separatorOf(parameter.style, encodeStrictly))}`)
    return
  }
  if (isObject(value)) {
    const members = definedMembers(value)
    if (members.length === 0) return
    if (parameter.explode) {
      for (const [key, item] of members) pairs.push(`${encodeStrictly(key)}=${encode(scalarText(item))}`)
    } else {
      const flat = members.flatMap(([key, item]) => [encode(key), encode(scalarText(item))])
      pairs.push(`${name}=${flat.join(separatorOf(parameter.style, encodeStrictly))}`)
    }
    return
  }
  pairs.push(`${name}=${encode(scalarText(value))}`)
}

/**
 * `name[key]=value`, and deeper as most servers read it (PHP, Rails, qs, Stripe): `name[]=` for lists of scalars, `name[0][key]=` for lists with objects in
 * them. `name` is encoded already. Beyond `nestingMax` levels: JSON.
 */
function deepPairs(name: string, value: unknown, encode: Encode, pairs: string[], depth = 0): void {
  if (value === undefined || value === null) return
  if (depth < nestingMax && Array.isArray(value)) {
    const isNumbered = value.some(isContainer)
    for (const [index, item] of value.entries()) {
      deepPairs(`${name}%5B${isNumbered ? index : ''}%5D`, item, encode, pairs, depth + 1)
    }
  } else if (depth < nestingMax && isObject(value)) {
    for (const [key, item] of definedMembers(value)) {
      deepPairs(`${name}%5B${encodeStrictly(key)}%5D`, item, encode, pairs, depth + 1)
    }
  } else {
    pairs.push(`${name}=${encode(scalarText(value))}`)
  }
}

/** Levels of nesting that `deepObject` writes out. */
const nestingMax = 16

/** A scalar as text; what is none, as JSON. */
export function scalarText(value: unknown): string {
  if (typeof value === 'string') return value
  if (value === null || value === undefined) return ''
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A list or an object. */
export function isContainer(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}

function definedMembers(value: Readonly<Record<string, unknown>>): [string, unknown][] {
  return Object.entries(value).filter(([, item]) => item !== undefined && item !== null)
}
