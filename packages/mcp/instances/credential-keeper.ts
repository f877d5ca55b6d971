// Decrypted credentials: made when needed, kept a short while, renewed when they are OAuth tokens.
import { Failure, fail } from '@crossfade/model/failure.ts'
import type { SecretOwner, Vault } from '@crossfade/vault/vault.ts'
import type { InstanceRow } from './instance-row.ts'
import type { CredentialSource, OpenedInstance } from './opened-instance.ts'
import { openCredential, refreshTokenName } from './sealed-credential.ts'
import type { Credential } from './session.ts'

/** A decrypted credential that was not used for this long is forgotten. */
export const credentialTtlMs = 60_000
/** How often it is looked for those. */
const sweepMs = 5_000
/** An access token is renewed this long before it ends, so that a call begun with it ends with it. */
export const refreshAheadMs = 60_000
/** One that is due and could not be renewed, or lives shorter than that, is used for this long before a renewal is tried again. */
const refreshAgainMs = 5_000

/** Renews OAuth access tokens; `authorization/refresh.ts` makes one. */
export interface TokenRefresher {
  /**
   * The instance with an access token that is worth using: a new one, or what another worker has stored meanwhile. One call at a time per instance over all
   * workers. Rejects with CF12004 when the user has to authorize again, CF12006 when it may work later.
   */
  refresh(instance: RefreshedInstance, refusedSealedToken: string | null): Promise<InstanceRow>
  /** Waits for renewals under way. Idempotent. */
  close(): Promise<void>
}

export type RefreshedInstance = Pick<OpenedInstance, 'instanceId' | 'serviceType' | 'userId' | 'settings'>

export interface CredentialKeeperOptions {
  readonly vault: Vault
  /** Null: access tokens end when they end. */
  readonly refresher: TokenRefresher | null
  /** Reads the instance anew; null when what opened it opens nothing any more. */
  readonly read: (opened: OpenedInstance) => Promise<InstanceRow | null>
  readonly credentialTtlMs?: number
}

export interface CredentialKeeper extends CredentialSource {
  /** How many decrypted credentials are in memory. */
  readonly held: number
  close(): void
}

/** Keeps the credentials of one worker. JavaScript can't overwrite a string: forgetting it leaves it to the garbage collector. */
export function createCredentialKeeper(options: CredentialKeeperOptions): CredentialKeeper {
  const { vault, refresher } = options
  const ttlMs = options.credentialTtlMs ?? credentialTtlMs
  const holding = new Set<OpenedInstance>()

  // What would pass its time before the next look goes at this one.
  const sweeper = setInterval(() => forgetIdle(Date.now() + Math.min(sweepMs, ttlMs / 2)), Math.min(sweepMs, ttlMs / 2))
  sweeper.unref()

  function forgetIdle(nowMs: number): void {
    for (const opened of holding) {
      const held = opened.held
      if (held !== null && nowMs - held.usedAtMs < ttlMs) continue
      opened.held = null
      holding.delete(opened)
    }
  }

  function obtain(opened: OpenedInstance): Credential | Promise<Credential> {
    if (opened.obtaining !== null) return opened.obtaining
    if (!opened.dropped && !isDue(opened)) {
      refuseUnauthorized(opened)
      const credential = openStored(opened)
      if (!(credential instanceof Promise)) return hold(opened, credential)
      return share(
        opened,
        credential.then((found) => hold(opened, found)),
      )
    }
    return share(opened, renew(opened))
  }

  /** Callers that come while it is being made wait for the same one. */
  function share(opened: OpenedInstance, making: Promise<Credential>): Promise<Credential> {
    const shared = making.finally(() => {
      if (opened.obtaining === shared) opened.obtaining = null
    })
    opened.obtaining = shared
    return shared
  }

  async function renew(opened: OpenedInstance): Promise<Credential> {
    if (opened.dropped) await readAgain(opened)
    refuseUnauthorized(opened)
    if (isDue(opened)) {
      opened.update(await renewed(opened))
      // Refused again, it is not the token's age: the next call shows the upstream's own answer.
      opened.refused = false
      refuseUnauthorized(opened)
    }
    return hold(opened, await openStored(opened))
  }

  /** A token that is still good for a moment is used when a new one can't be had now. */
  async function renewed(opened: OpenedInstance): Promise<InstanceRow> {
    try {
      return await refresher!.refresh(opened, opened.refused ? opened.stored.main : null)
    } catch (error) {
      const isGood = !opened.refused && (opened.accessExpiresAtMs ?? 0) > Date.now() + refreshAgainMs
      if (isGood && error instanceof Failure && error.retry) return rowOf(opened)
      throw error
    }
  }

  /** Rotation of keys seals secrets anew without telling, for they stay the same: what can't be opened any more may have been sealed anew. */
  async function openOnceMore(opened: OpenedInstance, error: unknown): Promise<Credential> {
    const before = opened.stored.main
    await readAgain(opened)
    if (opened.stored.main === before) throw error
    return openStored(opened)
  }

  async function readAgain(opened: OpenedInstance): Promise<void> {
    const row = await options.read(opened)
    if (row === null) throw fail('CF12001')
    opened.update(row)
  }

  function openStored(opened: OpenedInstance): Credential | Promise<Credential> {
    try {
      const credential = openCredential(vault, ownerOf(opened), opened.stored)
      return credential instanceof Promise
        ? credential.catch((error: unknown) => openOnceMore(opened, error))
        : credential
    } catch (error) {
      return openOnceMore(opened, error)
    }
  }

  function hold(opened: OpenedInstance, credential: Credential): Credential {
    if (opened.dropped) return credential
    const nowMs = Date.now()
    opened.held = { credential, freshUntilMs: freshUntil(opened, nowMs), usedAtMs: nowMs }
    holding.add(opened)
    return credential
  }

  function freshUntil(opened: OpenedInstance, nowMs: number): number {
    const endsAtMs = opened.accessExpiresAtMs ?? Number.POSITIVE_INFINITY
    if (!renewable(opened)) return endsAtMs
    // Tokens that live shorter than that, and those that could not be renewed, are not renewed at every call.
    return Math.max(endsAtMs - refreshAheadMs, Math.min(endsAtMs, nowMs + refreshAgainMs))
  }

  function isDue(opened: OpenedInstance): boolean {
    if (!renewable(opened)) return false
    return opened.refused || (opened.accessExpiresAtMs ?? Number.POSITIVE_INFINITY) - refreshAheadMs <= Date.now()
  }

  function renewable(opened: OpenedInstance): boolean {
    return refresher !== null && refreshTokenName in opened.stored.additional
  }

  function refuseUnauthorized(opened: OpenedInstance): void {
    const service = opened.serviceType
    if (opened.needsAuthorization) throw fail('CF12004', { service, reason: 'its authorization has ended' })
    const ended = opened.accessExpiresAtMs !== null && opened.accessExpiresAtMs <= Date.now()
    if (ended && !renewable(opened)) throw fail('CF12004', { service, reason: 'its access token has ended' })
  }

  return {
    obtain,
    get held() {
      return holding.size
    },
    close() {
      clearInterval(sweeper)
      for (const opened of holding) opened.held = null
      holding.clear()
    },
  }
}

function rowOf(opened: OpenedInstance): InstanceRow {
  return {
    userId: opened.userId,
    tokenId: opened.tokenId,
    scopes: null,
    tokenExpiresAtMs: null,
    credential: opened.stored,
    credentialVersion: opened.credentialVersion,
    needsAuthorization: opened.needsAuthorization,
    accessExpiresAtMs: opened.accessExpiresAtMs,
    settings: opened.settings,
  }
}

/** Whose secret it is, for the vault. */
export function ownerOf(instance: Pick<OpenedInstance, 'userId' | 'instanceId' | 'serviceType'>): SecretOwner {
  return { userId: instance.userId, instanceId: instance.instanceId, serviceType: instance.serviceType }
}
