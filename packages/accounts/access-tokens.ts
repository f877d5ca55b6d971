// Whom an OAuth access token stands for at an instance. Edge workers ask at every request, so answers are held shortly.
import type { UserId } from '@crossfade/model/platform-ids.ts'
import type { Pool } from 'pg'
import {
  createExternalIssuers,
  type ExternalClaims,
  type ExternalIssuer,
  type ReadIssuerDocument,
} from './external-issuers.ts'
import { parseInstanceResource } from './instance-resource.ts'
import { localOwnerEmail } from './local-owner.ts'
import { accessTokenPrefix, tokenDigest } from './oauth-tokens.ts'

/** How long a token may work after it was revoked when nobody told of it. Told (`forget`), it ends at once. */
export const revokedTokenMsMax = 5_000
/** Tokens held per worker; the oldest goes first. */
const heldTokensMax = 20_000
const tokenCharactersMax = 8_192

export interface VerifiedToken {
  readonly userId: UserId
  /** As an instance knows them: mcp:read → read, mcp:call → read and call. */
  readonly scopes: ReadonlySet<'read' | 'call'>
  readonly expiresAtMs: number
}

export interface AccessTokenVerifier {
  /**
   * Whom the token stands for at the instance of `resourceUrl`, or null: unknown, revoked, expired, for another audience,
   * or without a scope that means something here. Says nothing about whose the instance is: ask `open_instance_of_user`.
   * Rejects with the database's failure, or with CF12310 when an external issuer's keys can't be read.
   */
  verify(token: string, resourceUrl: string): Promise<VerifiedToken | null>
  /** Drops what is held of a user, or of everybody: to be called by whoever listens to changes. */
  forget(userId?: string): void
}

/** Whether a bearer secret is one for this verifier: of ours by its prefix, or a JWT. Instance tokens (`cfi_`) are not. */
export function isAccessToken(secret: string): boolean {
  return secret.startsWith(accessTokenPrefix) || /^eyJ[\w-]*\.[\w-]+\.[\w-]*$/.test(secret)
}

interface HeldToken extends VerifiedToken {
  readonly resourceUrl: string
  readonly heldUntilMs: number
}

/** `runtime` is a pool of the role crossfade_mcp_runtime. Throws CF12311 for an external issuer that can't be safe. */
export function createAccessTokenVerifier(options: {
  readonly runtime: Pool
  readonly baseUrl: string
  readonly externalIssuers?: readonly ExternalIssuer[]
  /** Default: reads what issuers publish from wherever it is. */
  readonly readIssuerDocument?: ReadIssuerDocument
  readonly now?: () => number
}): AccessTokenVerifier {
  const { runtime, baseUrl, now = Date.now } = options
  const external = createExternalIssuers(options.externalIssuers ?? [], options.readIssuerDocument)
  // By digest, so that no token stays in memory.
  const held = new Map<string, HeldToken>()
  // What was asked before a change must not be held after it.
  let generation = 0

  const ownToken = async (digest: string): Promise<Omit<HeldToken, 'heldUntilMs'> | null> => {
    const found = await runtime.query<{
      user_id: UserId
      resources: string[] | null
      scopes: string[]
      expires_at: Date
    }>('SELECT user_id, resources, scopes, expires_at FROM find_oauth_access_token($1)', [digest])
    const row = found.rows[0]
    if (row?.resources?.length !== 1) return null
    return toToken(row.user_id, row.scopes, row.expires_at.getTime(), row.resources[0]!)
  }

  const externalToken = async (token: string, resourceUrl: string): Promise<Omit<HeldToken, 'heldUntilMs'> | null> => {
    const claims = await external.verify(token, resourceUrl)
    if (!claims) return null
    const userId = await userOf(runtime, claims)
    return userId && toToken(userId, claims.scopes, claims.expiresAtMs, resourceUrl)
  }

  return {
    async verify(token, resourceUrl) {
      if (token.length > tokenCharactersMax) return null
      const resource = parseInstanceResource(baseUrl, resourceUrl)
      if (!resource) return null
      const own = token.startsWith(accessTokenPrefix)
      const digest = tokenDigest(own ? token.slice(accessTokenPrefix.length) : token)
      // An external token with one audience for all instances is verified for each.
      const key = own ? digest : `${digest} ${resource.url}`
      let known = held.get(key)
      if (!known || known.heldUntilMs <= now()) {
        held.delete(key)
        const asked = generation
        const found = own ? await ownToken(digest) : await externalToken(token, resource.url)
        if (!found) return null
        known = { ...found, heldUntilMs: now() + revokedTokenMsMax }
        if (asked === generation) hold(held, key, known)
      }
      if (known.resourceUrl !== resource.url || known.expiresAtMs <= now()) return null
      return { userId: known.userId, scopes: known.scopes, expiresAtMs: known.expiresAtMs }
    },
    forget(userId) {
      generation += 1
      if (userId === undefined) held.clear()
      else for (const [key, token] of held) if (token.userId === userId) held.delete(key)
    },
  }
}

function hold(held: Map<string, HeldToken>, key: string, token: HeldToken): void {
  if (held.size >= heldTokensMax) held.delete(held.keys().next().value!)
  held.set(key, token)
}

async function userOf(runtime: Pool, claims: ExternalClaims): Promise<UserId | null> {
  if (claims.config.userBy === 'verified_email') {
    // Nobody else can speak for the owner of the machine, whose address nobody could have verified.
    if (claims.verifiedEmail === null || claims.verifiedEmail.toLowerCase() === localOwnerEmail) return null
    const found = await runtime.query<{ id: UserId | null }>('SELECT find_user_by_verified_email($1) AS id', [
      claims.verifiedEmail,
    ])
    return found.rows[0]?.id ?? null
  }
  const found = await runtime.query<{ id: UserId | null }>('SELECT find_linked_user($1, $2) AS id', [
    claims.issuer,
    claims.subject,
  ])
  return found.rows[0]?.id ?? null
}

function toToken(
  userId: UserId,
  scopes: readonly string[],
  expiresAtMs: number,
  resourceUrl: string,
): Omit<HeldToken, 'heldUntilMs'> | null {
  const known = new Set<'read' | 'call'>()
  if (scopes.includes('mcp:read')) known.add('read')
  if (scopes.includes('mcp:call')) known.add('read').add('call')
  return known.size === 0 ? null : { userId, scopes: known, expiresAtMs, resourceUrl }
}
