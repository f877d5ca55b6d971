// The address of a service, its `{variables}` filled in with what the instance says.
import type { ServiceConfig } from '@crossfade/catalog/service-config.ts'
import { fail } from '@crossfade/model/failure.ts'
import type { Credential } from '../instances/session.ts'
import { encodeStrictly } from './parameter-styles.ts'
import type { Placement } from './place-credential.ts'

export interface BaseAddress {
  /** Scheme, host and port as the WHATWG URL standard writes them. */
  readonly origin: string
  /** Begins with `/` or is empty; never ends with one. */
  readonly pathPrefix: string
  /** Without `?`; mostly empty. */
  readonly query: string
}

type Variables = Readonly<Record<string, string>>

/**
 * Parses a base URL once; the answer fills it in. Names that `credentials` has are the key's place (`https://api.telegram.org/bot{token}`),
 * all others are variables of the instance. Throws CF13303 for a URL that can't be called, CF13301 for a variable that is missing or wrong.
 */
export function compileBase(
  baseUrl: string,
  config: ServiceConfig,
  credentials: ReadonlyMap<string, Placement>,
): (variables: Variables, credential: Credential) => BaseAddress {
  const service = config.serviceType
  const shape = /^(https?:\/\/)([^/?#\\]+)([^?#]*)(?:\?([^#]*))?/i.exec(baseUrl)
  if (shape === null) throw fail('CF13303', { service, reason: 'it is no http or https URL' })
  const [, scheme = '', authority = '', path = '', query = ''] = shape
  const fill = (text: string, place: 'host' | 'path', variables: Variables) => {
    return text.replace(/\{([^{}]+)\}/g, (whole, name: string) => {
      if (credentials.has(name)) return whole
      const value = variableOf(name, config, variables)
      return place === 'host' ? hostText(name, value, service) : segmentText(name, value, service)
    })
  }
  const withoutKey = (variables: Variables): BaseAddress => {
    const origin = originOf(scheme + fill(authority, 'host', variables), service)
    return {
      origin,
      pathPrefix: fill(path, 'path', variables).replace(/\/+$/, ''),
      query: fill(query, 'path', variables),
    }
  }
  const isFixed = !baseUrl.includes('{')
  if (isFixed) {
    const address = withoutKey({})
    return () => address
  }
  // Sessions keep their settings as one object for as long as they live.
  const filled = new WeakMap<Variables, BaseAddress>()
  const keyed = [...credentials].filter(([name]) => path.includes(`{${name}}`))
  return (variables, credential) => {
    let address = filled.get(variables)
    if (address === undefined) {
      address = withoutKey(variables)
      filled.set(variables, address)
    }
    if (keyed.length === 0) return address
    let { pathPrefix } = address
    for (const [name, placement] of keyed) {
      pathPrefix = pathPrefix.replaceAll(`{${name}}`, () => keySegment(placement.read(credential) ?? '', service))
    }
    return { ...address, pathPrefix }
  }
}

/** A key as a part of a path segment: RFC 3986 `pchar` as they are, the rest encoded. Throws CF13302 for one that would leave its segment. */
export function keySegment(secret: string, service: string): string {
  if (secret === '' || /[/\\?#]|%2f|%5c/i.test(secret) || /^(?:\.|%2e){1,2}$/i.test(secret)) {
    throw fail('CF13302', { service, reason: 'can not stand in a path' })
  }
  return encodeStrictly(secret).replace(/%(?:3A|40|21|24|26|27|28|29|2A|2B|2C|3B|3D)/g, (code) =>
    decodeURIComponent(code),
  )
}

const patterns = new WeakMap<object, RegExp>()

function variableOf(name: string, config: ServiceConfig, variables: Variables): string {
  const definition = config.variables?.[name]
  const service = config.serviceType
  if (definition === undefined) throw fail('CF13303', { service, reason: `nothing fills {${name}}` })
  const value = (Object.hasOwn(variables, name) ? variables[name] : undefined) ?? definition.default
  if (value === undefined || value === '') throw fail('CF13301', { variable: name, service, reason: 'is missing' })
  let pattern = patterns.get(definition)
  if (pattern === undefined) {
    pattern = new RegExp(`^(?:${definition.pattern})$`, 'u')
    patterns.set(definition, pattern)
  }
  if (!pattern.test(value))
    throw fail('CF13301', { variable: name, service, reason: 'does not have the form it must have' })
  return value
}

/** In the host a variable may be a label, a host, or a host with a port; nothing that would end the host or name a user. */
function hostText(variable: string, value: string, service: string): string {
  if (/^[\p{L}\p{N}._-]+(?::\d{1,5})?$/u.test(value)) return value
  throw fail('CF13301', { variable, service, reason: 'can not stand in a host name' })
}

function segmentText(variable: string, value: string, service: string): string {
  if (value.split('/').some((segment) => segment === '.' || segment === '..')) {
    throw fail('CF13301', { variable, service, reason: 'has a segment of only dots' })
  }
  return value.split('/').map(encodeStrictly).join('/')
}

function originOf(text: string, service: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || url.hostname === '') throw fail('CF13303', { service, reason: 'its host is none' })
  if (url.username !== '' || url.password !== '') throw fail('CF13303', { service, reason: 'it holds a user name' })
  return url.origin
}
