import type { InstanceId, ServiceType, TokenId, UserId } from '@crossfade/model/platform-ids.ts'
import type { InstanceRow, Opening } from './instance-row.ts'
import type { StoredCredential } from './sealed-credential.ts'
import type { Credential, InstanceSession, InstanceSettings, TokenScope } from './session.ts'

/** Gives an opened instance its credential: decrypted, renewed where need be. */
export interface CredentialSource {
  obtain(opened: OpenedInstance): Credential | Promise<Credential>
}

/** A credential in memory, and until when it may be used as it is. */
export interface HeldCredential {
  readonly credential: Credential
  readonly freshUntilMs: number
  usedAtMs: number
}

const both: ReadonlySet<TokenScope> = new Set(['read', 'call'])
const readOnly: ReadonlySet<TokenScope> = new Set(['read'])
const callOnly: ReadonlySet<TokenScope> = new Set(['call'])
const neither: ReadonlySet<TokenScope> = new Set()

/** One of four sets: sessions share them. */
export function scopeSet(scopes: readonly TokenScope[]): ReadonlySet<TokenScope> {
  const read = scopes.includes('read')
  const call = scopes.includes('call')
  return read && call ? both : read ? readOnly : call ? callOnly : neither
}

/** An instance that a token opened: what the cache holds, and what a request works with. Belongs to one token of one user. */
export class OpenedInstance implements InstanceSession {
  readonly instanceId: InstanceId
  readonly serviceType: ServiceType
  readonly userId: UserId
  readonly tokenId: TokenId | null
  readonly opening: Opening
  scopes: ReadonlySet<TokenScope>
  settings: InstanceSettings
  credentialVersion: number
  stored: StoredCredential
  needsAuthorization: boolean
  accessExpiresAtMs: number | null
  /** When what opened it ends; Infinity: never. */
  readonly endsAtMs: number
  /** Up to here it may be opened without asking the database. */
  freshUntilMs = 0
  /** When the database last said that all of it holds. */
  confirmedAtMs: number
  usedAtMs: number
  /** Something about it was changed since: its credential is read anew each time, for requests that still hold it. */
  dropped = false
  held: HeldCredential | null = null
  /** The upstream refused the credential of this version and access token. */
  refused = false
  obtaining: Promise<Credential> | null = null
  readonly #source: CredentialSource

  constructor(
    source: CredentialSource,
    place: { readonly instanceId: InstanceId; readonly serviceType: ServiceType },
    opening: Opening,
    row: InstanceRow,
    granted: { readonly scopes: readonly TokenScope[]; readonly endsAtMs: number },
    nowMs: number,
  ) {
    this.#source = source
    this.instanceId = place.instanceId
    this.serviceType = place.serviceType
    this.opening = opening
    this.userId = row.userId
    this.tokenId = row.tokenId
    this.endsAtMs = granted.endsAtMs
    this.scopes = scopeSet(granted.scopes)
    this.settings = row.settings
    this.credentialVersion = row.credentialVersion
    this.stored = row.credential
    this.needsAuthorization = row.needsAuthorization
    this.accessExpiresAtMs = row.accessExpiresAtMs
    this.confirmedAtMs = nowMs
    this.usedAtMs = nowMs
  }

  credential(): Credential | Promise<Credential> {
    const held = this.held
    const nowMs = Date.now()
    if (held !== null && !this.dropped && !this.refused && nowMs < held.freshUntilMs) {
      held.usedAtMs = nowMs
      return held.credential
    }
    return this.#source.obtain(this)
  }

  credentialRefused(): void {
    // Keys and passwords can't be renewed: the caller is told of the refusal, and that is all.
    if (this.stored.kind === 'oauth2') this.refused = true
  }

  /** Takes over what a later look at the database found. */
  update(row: InstanceRow): void {
    if (row.credential.main !== this.stored.main) {
      this.held = null
      this.refused = false
    }
    this.settings = row.settings
    this.credentialVersion = row.credentialVersion
    this.stored = row.credential
    this.needsAuthorization = row.needsAuthorization
    this.accessExpiresAtMs = row.accessExpiresAtMs
  }
}
