// Where a user's credential goes in a request: exactly where the service's description says, and nowhere else.
import type { Send, ServiceConfig } from '@crossfade/catalog/service-config.ts'
import { fail } from '@crossfade/model/failure.ts'
import type { Credential } from '../instances/session.ts'

/** One secret of a credential and its place. */
export interface Placement {
  readonly send: Send
  /** The text to send, prefix not included; null when this credential has none and none is needed. Throws CF13302. */
  read(credential: Credential): string | null
}

/** What `config.auth` asks to be sent, its own secret first, then the additional ones. */
export function placementsOf(config: ServiceConfig): readonly Placement[] {
  const { auth, serviceType: service } = config
  if (auth.type === 'none') return []
  if (auth.type === 'oauth2') return [{ send: auth.send, read: (credential) => keyOf(credential, service) }]
  const own: Placement =
    auth.type === 'basic_auth'
      ? { send: { in: 'header', name: 'authorization', prefix: 'Basic ' }, read: (given) => basicOf(given, service) }
      : { send: auth.send, read: (given) => keyOf(given, service) }
  const additional = (auth.additional ?? []).map(({ name, send, required }): Placement => {
    return { send, read: (credential) => additionalOf(credential, name, required, service) }
  })
  return [own, ...additional]
}

/** Every secret text that a request with this credential may hold, in the spellings in which an upstream could repeat it. */
export function secretsOf(credential: Credential): readonly string[] {
  const texts = rawSecrets(credential).filter((text) => text.length > 0)
  return [...new Set(texts.flatMap((text) => [text, encodeURIComponent(text.toWellFormed()), jsonEscaped(text)]))]
}

function rawSecrets(credential: Credential): string[] {
  if (credential.kind === 'none') return []
  if (credential.kind === 'oauth2') return [credential.accessToken]
  const additional = Object.values(credential.additional)
  if (credential.kind === 'api_key') return [credential.apiKey, ...additional]
  return [basicText(credential.username, credential.password), credential.password, ...additional]
}

function jsonEscaped(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}

/** A pasted token of an OAuth service is stored as a key: both are sent alike. */
function keyOf(credential: Credential, service: string): string {
  const key =
    credential.kind === 'api_key' ? credential.apiKey : credential.kind === 'oauth2' ? credential.accessToken : ''
  if (key === '') throw fail('CF13302', { service, reason: 'is empty or of another kind than the service takes' })
  return key
}

function basicOf(credential: Credential, service: string): string {
  if (credential.kind !== 'basic_auth') {
    throw fail('CF13302', { service, reason: 'is of another kind than the service takes' })
  }
  // RFC 7617: the first colon ends the user name.
  if (credential.username.includes(':')) throw fail('CF13302', { service, reason: 'has a colon in its user name' })
  return basicText(credential.username, credential.password)
}

function basicText(username: string, password: string): string {
  return Buffer.from(`${username}:${password}`, 'utf8').toString('base64')
}

function additionalOf(credential: Credential, name: string, required: boolean, service: string): string | null {
  const value = 'additional' in credential ? credential.additional[name] : undefined
  if (value !== undefined && value !== '') return value
  if (required) throw fail('CF13302', { service, reason: `lacks ${name}` })
  return null
}
