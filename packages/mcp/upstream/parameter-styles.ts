// Values in the styles of OpenAPI (3.0.4 and 3.1.1, "Parameter Object" and RFC 6570, which it refers to). Pure text in, pure text out.
import type { CallParameter } from '@crossfade/catalog/catalog.ts'

type Style = Pick<CallParameter, 'name' | 'style' | 'explode' | 'allowReserved' | 'json'>
/** Makes text safe for its place. */
export type Encode = (text: string) => string

/** Everything but unreserved characters as %XX: what RFC 3986 lets stand in any component without a meaning of its own. */
export function encodeStrictly(text: string): string {
  if (unreservedPattern.test(text)) return text
  // Lone halves of surrogate pairs can't be UTF-8; they become U+FFFD, as in every URL parser, instead of a URIError.
  return encodeURIComponent(text.toWellFormed()).replace(/[!'()*]/g, percentEncoded)
}

/**
 * For `allowReserved`: reserved characters stay, save those that would end the value (`#`, `&`, `+`, `[`, `]`) as OpenAPI 3.1.1 warns.
 * A `%` is always encoded: arguments are plain text, never encoded already.
 */
export function encodeReserved(text: string): string {
  return encodeURI(text.toWellFormed()).replace(/[#&+[\]]/g, percentEncoded)
}

/** RFC 3986 `unreserved`: what most arguments are made of. */
const unreservedPattern = /^[A-Za-z0-9._~-]*$/

function percentEncoded(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`
}

/**
 * The value of a `simple`, `label` or `matrix` parameter; null when the value is empty (nothing, an empty text, array or object).
 * Nested values, for which OpenAPI defines nothing, are JSON.
 */
export function pathText(parameter: Style, value: unknown, encode: Encode): string | null {
  if (parameter.json) return encode(JSON.stringify(value))
  const name = encodeStrictly(parameter.name)
  const { style, explode } = parameter
  const prefix = style === 'label' ? '.' : style === 'matrix' ? ';' : ''
  if (Array.isArray(value)) {
    if (value.length === 0) return null
    const items = value.map((item) => encode(scalarText(item)))
    if (style === 'matrix') return explode ? items.map((item) => `;${name}=${item}`).join('') : `;${name}=${items}`
    return prefix + items.join(explode ? prefix || ',' : ',')
  }
  if (isObject(value)) {
    const members = definedMembers(value)
    if (members.length === 0) return null
    if (explode) {
      const pairs = members.map(([key, item]) => `${encode(key)}=${encode(scalarText(item))}`)
      return style === 'simple' ? pairs.join(',') : prefix + pairs.join(prefix)
    }
    const flat = members.map(([key, item]) => `${encode(key)},${encode(scalarText(item))}`).join(',')
    return style === 'matrix' ? `;${name}=${flat}` : prefix + flat
  }
  const text = scalarText(value)
  if (text === '') return null
  return style === 'matrix' ? `;${name}=${encode(text)}` : prefix + encode(text)
}

/** Adds the `name=value` pairs of a `form`, `spaceDelimited`, `pipeDelimited` or `deepObject` parameter. Null and empty lists add nothing. */
export function queryPairs(parameter: Style, value: unknown, encode: Encode, pairs: string[]): void {
  if (value === undefined || value === null) return
  const name = encodeStrictly(parameter.name)
  if (parameter.json) {
    pairs.push(`${name}=${encode(JSON.stringify(value))}`)
    return
  }
  if (parameter.style === 'deepObject') {
    deepPairs(name, value, encode, pairs)
    return
  }
  const separator = parameter.style === 'spaceDelimited' ? '%20' : parameter.style === 'pipeDelimited' ? '%7C' : ','
  if (Array.isArray(value)) {
    if (value.length === 0) return
    const items = value.map((item) => encode(scalarText(item)))
    if (parameter.explode) for (const item of items) pairs.push(`${name}=${item}`)
    else pairs.push(`${name}=${items.join(separator)}`)
    return
  }
  if (isObject(value)) {
    const members = definedMembers(value)
    if (members.length === 0) return
    if (parameter.explode) {
      for (const [key, item] of members) pairs.push(`${encodeStrictly(key)}=${encode(scalarText(item))}`)
    } else {
      const flat = members.map(([key, item]) => `${encode(key)}${separator}${encode(scalarText(item))}`)
      pairs.push(`${name}=${flat.join(separator)}`)
    }
    return
  }
  pairs.push(`${name}=${encode(scalarText(value))}`)
}

/**
 * `name[key]=value`, and deeper as most servers read it (PHP, Rails, qs, Stripe): `name[]=` for scalars of a list, `name[0][key]=` for objects in one.
 * `name` is encoded already. Beyond `nestingMax` levels: JSON.
 */
export function deepPairs(name: string, value: unknown, encode: Encode, pairs: string[], depth = 0): void {
  if (value === undefined || value === null) return
  if (depth < nestingMax && Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      deepPairs(`${name}%5B${isContainer(item) ? index : ''}%5D`, item, encode, pairs, depth + 1)
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

function isContainer(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}

function definedMembers(value: Readonly<Record<string, unknown>>): [string, unknown][] {
  return Object.entries(value).filter(([, item]) => item !== undefined && item !== null)
}
