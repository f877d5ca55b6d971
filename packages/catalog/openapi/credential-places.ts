// Where a request carries a credential. The vault fills these places in; no tool has an argument for one.
import { asObject, asText, type JsonObject } from '../json-value.ts'
import type { Send, ServiceConfig } from '../service-config.ts'

/** `header authorization`, `query key`: place and name in lower case. */
export type CredentialPlace = string

/** Headers that are never an argument: credentials, and what the connection itself decides. */
const headersOfTheRuntime = new Set([
  'accept',
  'authorization',
  'connection',
  'content-length',
  'content-type',
  'cookie',
  'host',
  'proxy-authorization',
  'transfer-encoding',
])

/** Names that are credentials wherever they stand. */
const credentialNames =
  /^(x[-_])?(api[-_]?key|apikey|access[-_]?token|auth[-_]?token|oauth[-_]?token|client[-_]?secret)$/i
/** Names that are credentials when their description says so. */
const suspiciousNames = /^(x[-_]\w+[-_])?(key|token|auth|session|sid|password|secret|app_?key|app_?id|signature)$/i
const credentialWords =
  /api[ -_]?key|api token|access token|authenticat|authori[sz]ation|bearer|oauth|application key|generate-?token|appKey\/generate/i

/** The places that a service's configuration and its description's security schemes name. */
export function credentialPlaces(
  config: Pick<ServiceConfig, 'auth'>,
  securitySchemes: JsonObject,
): Set<CredentialPlace> {
  const places = new Set<CredentialPlace>()
  for (const send of sendsOf(config.auth)) places.add(placeOf(send.in, send.name))
  for (const scheme of Object.values(securitySchemes)) {
    const { type, in: place, name } = asObject(scheme) ?? {}
    if (type === 'apiKey') places.add(placeOf(asText(place), asText(name)))
  }
  return places
}

/** Everywhere that a service's credentials go. */
export function sendsOf(auth: ServiceConfig['auth']): Send[] {
  if (auth.type === 'none') return []
  if (auth.type === 'oauth2') return [auth.send]
  const further = (auth.additional ?? []).map((each) => each.send)
  return auth.type === 'api_key' ? [auth.send, ...further] : [{ in: 'header', name: 'authorization' }, ...further]
}

/** Whether the vault or the runtime fills this place in, so that it must be no argument. */
export function isTaken(
  place: string,
  name: string,
  description: string,
  places: ReadonlySet<CredentialPlace>,
): boolean {
  if (place === 'header' && headersOfTheRuntime.has(name.toLowerCase())) return true
  if (places.has(placeOf(place, name))) return true
  if (place === 'path') return false
  if (credentialNames.test(name)) return true
  return suspiciousNames.test(name) && credentialWords.test(description)
}

export function placeOf(place: string, name: string): CredentialPlace {
  return `${place} ${name.toLowerCase()}`
}
