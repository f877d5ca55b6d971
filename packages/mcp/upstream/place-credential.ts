// Where a user's credential goes in a request: exactly where the service's description says, and nowhere else.
import type { Send, ServiceConfig } from '@crossfade/catalog/service-config.ts'
import { fail } from '@crossfade/model/failure.ts'
import type { Credential } from '../instances/session.ts'
import { encodeStrictly } from './parameter-styles.ts'

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
    return { send, read: (credential) => additionalFor(credential, name, required, service) }
  })
  return [own, ...additional]
}

/** Every secret text that a request with this credential may hold, in the spellings in which an upstream could repeat it. */
export function secretsOf(credential: Credential): readonly string[] {
  let secrets = spelled.get(credential)
  if (secrets === undefined) {
    const texts = [...rawSecrets(credential), ...additionalOf(credential)]
    secrets = [...new Set(texts.filter((text) => text.length > 0).flatMap(spellings))]
    spelled.set(credential, secrets)
  }
  return secrets
}

/** The same of the key, token or password alone, where it is long enough to be taken for nothing else: what stands beside it may be a name that answers are full of. */
export function keysOf(credential: Credential): readonly Buffer[] {
  let keys = spelledKeys.get(credential)
  if (keys === undefined) {
    const texts = rawSecrets(credential).filter((text) => text.length >= keyCharactersMin)
    keys = [...new Set(texts.flatMap(spellings))].map((text) => Buffer.from(text))
    spelledKeys.set(credential, keys)
  }
  return keys
}

/** Shorter ones may be words. */
const keyCharactersMin = 12
/** Sessions hold their credential as one object for as long as it is decrypted. */
const spelled = new WeakMap<Credential, readonly string[]>()
const spelledKeys = new WeakMap<Credential, readonly Buffer[]>()

function spellings(text: string): string[] {
  return [text, encodeURIComponent(text.toWellFormed()), encodeStrictly(text), jsonEscaped(text)]
}

function rawSecrets(credential: Credential): string[] {
  if (credential.kind === 'none') return []
  if (credential.kind === 'oauth2') return [credential.accessToken]
  if (credential.kind === 'api_key') return [credential.apiKey]
  const { username, password } = credential
  // Many services take a key as the user's name, and nothing or an `x` as the password.
  const isKey = password.length < passwordCharactersMin
  return [basicText(username, password), ...(isKey ? [username] : [password])]
}

const passwordCharactersMin = 4

function additionalOf(credential: Credential): string[] {
  return 'additional' in credential ? Object.values(credential.additional) : []
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

function additionalFor(credential: Credential, name: string, required: boolean, service: string): string | null {
  const value = 'additional' in credential ? credential.additional[name] : undefined
  if (value !== undefined && value !== '') return value
  if (required) throw fail('CF13302', { service, reason: `lacks ${name}` })
  return null
}
