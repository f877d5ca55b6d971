// Tokens of somebody else's authorization server, where the operator has configured one.
import { fail, reasonOf } from '@crossfade/model/failure.ts'
import type { JWTPayload, JWTVerifyGetKey } from 'jose'

const tokenCharactersMax = 8_192
const documentBytesMax = 256 * 1024
const fetchTimeoutMs = 5_000
/** Keys are read again after this long, or for an unknown key id, but then not more often than the cool-down. */
const keysMsMax = 10 * 60_000
const keysCooldownMs = 30_000
const discoveryMsMax = 60 * 60_000
/** After a failure, how long the issuer is not asked again. */
const failureCooldownMs = 10_000
const clockToleranceSeconds = 30
/** With a public key alone: with HS* the verifier could sign, and `none` is no signature. */
const safeAlgorithms: ReadonlySet<string> = new Set([
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
])

export interface ExternalIssuer {
  /** As it stands in the tokens' `iss`; https, or http on loopback. Its keys are found by RFC 8414 or OpenID discovery. */
  readonly issuer: string
  /** Instead of discovery. */
  readonly jwksUrl?: string
  /** Default RS256, PS256, ES256 and EdDSA. */
  readonly algorithms?: readonly string[]
  /** `instance` (default): the instance's URL and nothing else. A text: the one audience by which the issuer means this platform. */
  readonly audience?: 'instance' | { readonly value: string }
  /** How a token's person is found: by a link that was made explicitly (default), or by an address verified on both sides. */
  readonly userBy?: 'linked_subject' | 'verified_email'
  /** `claim` (default): mcp:read and mcp:call of the token's `scope` or `scp`. Otherwise what every token may do. */
  readonly scopes?: 'claim' | readonly ('mcp:read' | 'mcp:call')[]
}

export interface ExternalClaims {
  readonly issuer: string
  readonly subject: string
  /** Null unless the issuer says that it is verified. */
  readonly verifiedEmail: string | null
  readonly scopes: readonly string[]
  readonly expiresAtMs: number
  readonly config: ExternalIssuer
}

export interface ExternalIssuers {
  /**
   * The claims of a token of one of the issuers for this resource, or null: another issuer, signature, audience, expired.
   * Rejects with CF12310 when the issuer's keys can't be read now.
   */
  verify(token: string, resourceUrl: string): Promise<ExternalClaims | null>
}

/** Sends a GET that follows no redirect. Whoever gives one decides which addresses may be connected to. */
export type ReadIssuerDocument = (url: URL, signal: AbortSignal) => Promise<Response>

/** `read` reads what issuers publish; by default from wherever it is. Throws CF12311 for an issuer that can't be safe: another scheme, or an algorithm that is not asymmetric. */
export function createExternalIssuers(
  configs: readonly ExternalIssuer[],
  read: ReadIssuerDocument = readAnywhere,
): ExternalIssuers {
  const issuers = new Map(configs.map((config) => [config.issuer, openIssuer(config, read)]))
  return {
    async verify(token, resourceUrl) {
      const issuer = issuers.get(claimedIssuer(token) ?? '')
      return issuer ? issuer(token, resourceUrl) : null
    },
  }
}

function openIssuer(config: ExternalIssuer, read: ReadIssuerDocument) {
  const algorithms = [...(config.algorithms ?? ['RS256', 'PS256', 'ES256', 'EdDSA'])]
  const unsafe = algorithms.find((algorithm) => !safeAlgorithms.has(algorithm))
  if (unsafe !== undefined || algorithms.length === 0) {
    throw fail('CF12311', {
      issuer: config.issuer,
      reason: `${unsafe ?? 'no algorithm'} is not a signature by a key pair`,
    })
  }
  checkAddress(config.issuer, config.issuer)
  if (config.jwksUrl !== undefined) checkAddress(config.issuer, config.jwksUrl)
  const keysOf = keySource(config, read)

  return async (token: string, resourceUrl: string): Promise<ExternalClaims | null> => {
    // Loaded with the first token: without an issuer of somebody else nothing of it is needed.
    const { errors, jwtVerify } = await import('jose')
    let payload: JWTPayload
    try {
      const keys = await keysOf()
      const verified = await jwtVerify(token, keys, {
        issuer: config.issuer,
        algorithms,
        clockTolerance: clockToleranceSeconds,
        requiredClaims: ['exp', 'sub', 'aud'],
      })
      payload = verified.payload
    } catch (cause) {
      if (isRefusal(cause, errors)) return null
      throw fail('CF12310', { issuer: config.issuer, reason: reasonOf(cause) }, cause)
    }
    if (!isAudience(config, payload.aud, resourceUrl)) return null
    return {
      issuer: config.issuer,
      subject: payload.sub!,
      verifiedEmail:
        payload['email_verified'] === true && typeof payload['email'] === 'string' ? payload['email'] : null,
      scopes: config.scopes === undefined || config.scopes === 'claim' ? scopesOf(payload) : config.scopes,
      expiresAtMs: payload.exp! * 1000,
      config,
    }
  }
}

/** The `iss` that a token claims, unverified: only to choose whose keys to verify it by. */
function claimedIssuer(token: string): string | null {
  if (token.length > tokenCharactersMax) return null
  const parts = token.split('.')
  if (parts.length !== 3) return null
  try {
    const payload = JSON.parse(Buffer.from(parts[1]!, 'base64url').toString('utf8')) as { iss?: unknown }
    return typeof payload.iss === 'string' ? payload.iss : null
  } catch {
    return null
  }
}

/** A token with a second audience would be good elsewhere too: whoever gets it here could use it there. */
function isAudience(config: ExternalIssuer, claimed: string | string[] | undefined, resourceUrl: string): boolean {
  const audiences = claimed === undefined ? [] : [claimed].flat()
  if (audiences.length !== 1) return false
  if (typeof config.audience === 'object') return audiences[0] === config.audience.value
  return audiences[0]!.replace(/\/$/, '') === resourceUrl.replace(/\/$/, '')
}

function scopesOf(payload: JWTPayload): readonly string[] {
  const claim = payload['scope'] ?? payload['scp']
  if (typeof claim === 'string') return claim.split(' ')
  return Array.isArray(claim) ? claim.filter((scope) => typeof scope === 'string') : []
}

/** Whether the token is at fault, and not the way to the keys. */
function isRefusal(cause: unknown, errors: typeof import('jose').errors): boolean {
  return (
    cause instanceof errors.JOSEError &&
    !(cause instanceof errors.JWKSTimeout) &&
    // What jose throws by this class itself is about the answer of the keys' address.
    cause.code !== 'ERR_JOSE_GENERIC'
  )
}

/** The issuer's keys, by discovery when its first token comes; read again when old, and for an unknown key id. */
function keySource(config: ExternalIssuer, read: ReadIssuerDocument): () => Promise<JWTVerifyGetKey> {
  let found: { keys: JWTVerifyGetKey; url: string; untilMs: number } | undefined
  let failed: { cause: unknown; untilMs: number } | undefined
  let asking: Promise<JWTVerifyGetKey> | undefined
  const ask = async (): Promise<JWTVerifyGetKey> => {
    try {
      const url = config.jwksUrl ?? (await discoverKeysUrl(config.issuer, read))
      if (found?.url !== url) found = { keys: await remoteKeys(url, read), url, untilMs: 0 }
      found.untilMs = Date.now() + discoveryMsMax
      return found.keys
    } catch (cause) {
      failed = { cause, untilMs: Date.now() + failureCooldownMs }
      throw cause
    } finally {
      asking = undefined
    }
  }
  return () => {
    const nowMs = Date.now()
    if (found && found.untilMs > nowMs) return Promise.resolve(found.keys)
    if (failed && failed.untilMs > nowMs) return found ? Promise.resolve(found.keys) : Promise.reject(failed.cause)
    asking ??= ask()
    return asking
  }
}

async function remoteKeys(url: string, read: ReadIssuerDocument): Promise<JWTVerifyGetKey> {
  const { createRemoteJWKSet, customFetch } = await import('jose')
  let failed: { cause: unknown; untilMs: number } | undefined
  return createRemoteJWKSet(new URL(url), {
    timeoutDuration: fetchTimeoutMs,
    cacheMaxAge: keysMsMax,
    cooldownDuration: keysCooldownMs,
    // The library waits after keys that it has read, not after those that it has not.
    [customFetch]: async (address: string, { signal }: { readonly signal: AbortSignal }) => {
      if (failed && failed.untilMs > Date.now()) throw failed.cause
      try {
        return await readKeys(read, address, signal)
      } catch (cause) {
        failed = { cause, untilMs: Date.now() + failureCooldownMs }
        throw cause
      }
    },
  })
}

async function readKeys(read: ReadIssuerDocument, address: string, signal: AbortSignal): Promise<Response> {
  const answer = await readBounded(read, address, signal)
  if (answer.status !== 200) throw new Error(`its keys are answered with the status ${answer.status}`)
  const document = (await answer.json()) as { keys?: unknown } | null
  if (!Array.isArray(document?.keys)) throw new Error('its keys are no JSON Web Key Set')
  return Response.json(document)
}

/** RFC 8414 first, then OpenID Connect Discovery. A document that names another issuer is somebody else's. */
async function discoverKeysUrl(issuer: string, read: ReadIssuerDocument): Promise<string> {
  const url = new URL(issuer)
  const path = url.pathname.replace(/\/$/, '')
  const places = [
    `${url.origin}/.well-known/oauth-authorization-server${path}`,
    `${url.origin}${path}/.well-known/openid-configuration`,
  ]
  let reason = 'it has no metadata document'
  for (const place of places) {
    const answer = await readBounded(read, place, AbortSignal.timeout(fetchTimeoutMs))
    if (answer.status !== 200) continue
    const document = (await answer.json()) as { issuer?: unknown; jwks_uri?: unknown }
    if (document.issuer !== issuer) {
      reason = 'its metadata document is of another issuer'
      continue
    }
    if (typeof document.jwks_uri !== 'string') continue
    checkAddress(issuer, document.jwks_uri)
    return document.jwks_uri
  }
  throw new Error(reason)
}

function readAnywhere(url: URL, signal: AbortSignal): Promise<Response> {
  return fetch(url, { redirect: 'manual', signal, headers: { accept: 'application/json' } })
}

/** Reads no more than a bound. */
async function readBounded(read: ReadIssuerDocument, address: string, signal: AbortSignal): Promise<Response> {
  const answer = await read(new URL(address), signal)
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of answer.body ?? []) {
    bytes += part.byteLength
    if (bytes > documentBytesMax) throw new Error(`its answer is larger than ${documentBytesMax} bytes`)
    parts.push(part)
  }
  return new Response(Buffer.concat(parts), {
    status: answer.status >= 200 && answer.status < 600 ? answer.status : 500,
  })
}

function checkAddress(issuer: string, address: string): void {
  const url = URL.canParse(address) ? new URL(address) : null
  const loopback = url !== null && ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)
  if (url && (url.protocol === 'https:' || (url.protocol === 'http:' && loopback)) && !url.username) return
  throw fail('CF12311', { issuer, reason: 'its addresses must be https' })
}
