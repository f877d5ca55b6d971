import { hash } from 'node:crypto'
import { type Change, listenToChanges } from '@crossfade/mcp-database/changes.ts'
import { Failure, fail } from '@crossfade/model/failure.ts'
import type { InstanceId, ServiceType, UserId } from '@crossfade/model/platform-ids.ts'
import type { Vault } from '@crossfade/vault/vault.ts'
import type pg from 'pg'
import { createCredentialKeeper, type TokenRefresher } from './credential-keeper.ts'
import { createGuessLimits } from './guess-limits.ts'
import { findInstance, type InstanceRow, type Opening } from './instance-row.ts'
import { isSecretOf } from './instance-secrets.ts'
import { OpenedInstance } from './opened-instance.ts'
import type { InstanceDirectory, InstanceSession, PresentedSecret, TokenScope } from './session.ts'
import { createSessionCache } from './session-cache.ts'

/** Sessions in memory, about 2 KiB each. */
export const sessionsMax = 50_000
/** A session is looked up again after this, although nobody told of a change. */
export const sessionMsMax = 60_000
/** The same while changes are not heard of, because the connection that brings them is broken. */
export const staleSessionMsMax = 1_000
/** A session goes on for this long after it was last confirmed while the database does not answer. A revocation can't be heard of meanwhile; 0 lets nobody in. */
export const databaseGraceMsMax = 300_000
/** A token that opened nothing is refused without another look for this long. */
export const wrongTokenMs = 5_000
const wrongTokensMax = 10_000
/** Look-ups that wait for the database at once; beyond them known sessions go on, and others are told to come back. */
export const lookupsWaitingMax = 1_000
/** Characters of a bearer token that could be an access token of OAuth. */
const accessTokenCharactersMax = 8_192
/** A look-up that is overtaken by changes each time is given up. */
const lookupAttemptsMax = 3

/** What an access token for an instance grants: told by whoever issued or verified it. */
export interface AccessGrant {
  readonly userId: UserId
  readonly scopes: readonly TokenScope[]
  /** When the token ends. */
  readonly endsAtMs: number
}

export interface DirectoryOptions {
  /** Of the role crossfade_mcp_runtime. */
  readonly runtime: pg.Pool
  /** Of the same role, for the connection that hears of changes. */
  readonly databaseUrl: string
  readonly vault: Vault
  /** Verifies an OAuth access token for this instance (audience included); null: not one that opens it. Null: such tokens open nothing. */
  readonly verifyAccessToken:
    | ((token: string, instanceId: InstanceId, serviceType: ServiceType) => Promise<AccessGrant | null>)
    | null
  /** Told when what is held of access tokens may be out of date: of one user, or of everybody. */
  readonly forgetAccessTokens?: (userId?: string) => void
  /** Closed with the directory. */
  readonly refresher: TokenRefresher | null
  readonly sessionsMax?: number
  readonly databaseGraceMsMax?: number
  readonly credentialTtlMs?: number
}

export interface PlatformDirectory extends InstanceDirectory {
  /** Opens a user's own instance for whoever was made sure to be that user (a person who tries a tool from the console). Rejects with CF12001. */
  openForUser(instanceId: InstanceId, serviceType: ServiceType, userId: UserId): Promise<InstanceSession>
  statistics(): DirectoryStatistics
}

export interface DirectoryStatistics {
  readonly sessions: number
  readonly decrypted: number
  readonly lookups: number
  readonly hearsOfChanges: boolean
}

/**
 * Opens the directory of one worker. Rejects with CF12502 when the database can't be reached at the start; afterwards it lives through outages: known sessions go
 * on for `databaseGraceMsMax`, new ones are refused with CF12002, which is worth a retry.
 */
export async function openDirectory(options: DirectoryOptions): Promise<PlatformDirectory> {
  const graceMs = options.databaseGraceMsMax ?? databaseGraceMsMax
  const sessions = createSessionCache(options.sessionsMax ?? sessionsMax)
  const wrongTokens = new Map<string, { instanceId: InstanceId; untilMs: number }>()
  const guesses = createGuessLimits()
  const pending = new Map<string, Pending>()
  let lookups = 0

  const keeper = createCredentialKeeper({
    vault: options.vault,
    refresher: options.refresher,
    read: ({ instanceId, serviceType, opening }) => find(instanceId, serviceType, opening),
    ...(options.credentialTtlMs !== undefined && { credentialTtlMs: options.credentialTtlMs }),
  })

  const listener = await listenToChanges(options.databaseUrl, changed, doubtAll)

  function changed(change: Change): void {
    if (change.kind === 'instance' || change.kind === 'token') {
      sessions.dropInstance(change.instanceId)
      for (const lookup of pending.values()) if (lookup.instanceId === change.instanceId) lookup.overtaken = true
      for (const [key, wrong] of wrongTokens) if (wrong.instanceId === change.instanceId) wrongTokens.delete(key)
    } else if (change.kind === 'user') {
      options.forgetAccessTokens?.(change.userId)
      sessions.dropUser(change.userId)
      // Whose instance is being looked up, or was looked for in vain, is not known.
      for (const lookup of pending.values()) lookup.overtaken = true
      wrongTokens.clear()
    }
  }

  /**
   * Changes may have gone unheard: the connection that brings them broke, or is back. Nothing is dropped, for while the database is away known sessions go on; but none
   * is believed without asking.
   */
  function doubtAll(): void {
    options.forgetAccessTokens?.()
    for (const opened of sessions.values()) opened.freshUntilMs = 0
    for (const lookup of pending.values()) lookup.overtaken = true
    wrongTokens.clear()
  }

  function open(
    instanceId: InstanceId,
    serviceType: ServiceType,
    presented: PresentedSecret,
  ): InstanceSession | Promise<InstanceSession> {
    // The key is a digest over everything presented: how long the map takes to find it tells nothing of a secret.
    const key = hash('sha256', `${presented.kind}/${instanceId}/${serviceType}/${presented.secret}`, 'base64url')
    const known = sessions.get(key)
    const nowMs = Date.now()
    if (known !== undefined && nowMs < known.freshUntilMs) {
      known.usedAtMs = nowMs
      return known
    }
    const wrong = wrongTokens.get(key)
    if (wrong !== undefined) {
      if (nowMs < wrong.untilMs) throw fail('CF12001')
      wrongTokens.delete(key)
    }
    if (!looksRight(presented, options.verifyAccessToken !== null)) throw fail('CF12001')
    if (known === undefined && !guesses.mayLookUp(instanceId, nowMs)) throw fail('CF12003')
    return lookUpShared(key, instanceId, serviceType, known, async () => {
      if (isSecretOf(presented.kind, presented.secret)) {
        const secretHash = hash('sha256', presented.secret, 'buffer')
        return { opening: { kind: presented.kind, secretHash }, granted: null }
      }
      const grant = await options.verifyAccessToken!(presented.secret, instanceId, serviceType)
      return grant && { opening: { kind: 'user', userId: grant.userId }, granted: grant }
    })
  }

  async function openForUser(
    instanceId: InstanceId,
    serviceType: ServiceType,
    userId: UserId,
  ): Promise<InstanceSession> {
    const key = `${userId}/${instanceId}/${serviceType}`
    const known = sessions.get(key)
    if (known !== undefined && Date.now() < known.freshUntilMs) return known
    const granted: AccessGrant = { userId, scopes: ['read', 'call'], endsAtMs: Number.POSITIVE_INFINITY }
    return lookUpShared(key, instanceId, serviceType, known, async () => ({
      opening: { kind: 'user', userId },
      granted,
    }))
  }

  /** Requests that show the same token at the same time share one look-up. */
  function lookUpShared(
    key: string,
    instanceId: InstanceId,
    serviceType: ServiceType,
    known: OpenedInstance | undefined,
    establish: Establish,
  ): Promise<InstanceSession> {
    const running = pending.get(key)
    if (running !== undefined) return running.session
    if (pending.size >= lookupsWaitingMax) {
      const goesOn = mayGoOn(known)
      if (goesOn === null) throw fail('CF12002')
      return Promise.resolve(goesOn)
    }
    const lookup: Pending = { instanceId, overtaken: false, session: null as never }
    pending.set(key, lookup)
    lookup.session = lookUp(key, instanceId, serviceType, known, establish, lookup).finally(() => pending.delete(key))
    return lookup.session
  }

  async function lookUp(
    key: string,
    instanceId: InstanceId,
    serviceType: ServiceType,
    known: OpenedInstance | undefined,
    establish: Establish,
    lookup: Pending,
  ): Promise<OpenedInstance> {
    try {
      for (let attempt = 1; attempt <= lookupAttemptsMax; attempt += 1) {
        lookup.overtaken = false
        const established = await establish()
        const row = established && (await find(instanceId, serviceType, established.opening))
        // Something changed between the database's answer and now, or may have: the answer may be from before.
        if (lookup.overtaken) continue
        const nowMs = Date.now()
        if (row === null) {
          sessions.delete(key)
          refused(key, instanceId, nowMs)
          throw fail('CF12001')
        }
        return confirm(key, { instanceId, serviceType }, established!, row, nowMs)
      }
      throw fail('CF12002')
    } catch (error) {
      const failure = error instanceof Failure ? error : fail('CF12002', {}, error)
      const goesOn = failure.code === 'CF12001' ? null : mayGoOn(known)
      if (goesOn === null) throw failure
      return goesOn
    }
  }

  function confirm(
    key: string,
    place: { readonly instanceId: InstanceId; readonly serviceType: ServiceType },
    { opening, granted }: Established,
    row: InstanceRow,
    nowMs: number,
  ): OpenedInstance {
    const endsAtMs = granted?.endsAtMs ?? row.tokenExpiresAtMs ?? Number.POSITIVE_INFINITY
    const freshUntilMs = Math.min(endsAtMs, nowMs + (listener.listening ? sessionMsMax : staleSessionMsMax))
    const known = sessions.get(key)
    if (known !== undefined && isStill(known, row, endsAtMs)) {
      known.freshUntilMs = freshUntilMs
      known.confirmedAtMs = nowMs
      known.usedAtMs = nowMs
      return known
    }
    const scopes = granted?.scopes ?? row.scopes ?? []
    const opened = new OpenedInstance(keeper, place, opening, row, { scopes, endsAtMs }, nowMs)
    opened.freshUntilMs = freshUntilMs
    sessions.set(key, opened, nowMs)
    return opened
  }

  /** A session whose database does not answer. Not one that was told to be changed: that is gone from the cache. */
  function mayGoOn(known: OpenedInstance | undefined): OpenedInstance | null {
    const nowMs = Date.now()
    if (known === undefined || known.dropped || nowMs >= known.endsAtMs) return null
    if (nowMs - known.confirmedAtMs >= graceMs) return null
    known.freshUntilMs = Math.min(known.endsAtMs, nowMs + staleSessionMsMax)
    return known
  }

  function refused(key: string, instanceId: InstanceId, nowMs: number): void {
    guesses.wrong(instanceId, nowMs)
    if (wrongTokens.size >= wrongTokensMax) wrongTokens.delete(wrongTokens.keys().next().value!)
    wrongTokens.set(key, { instanceId, untilMs: nowMs + wrongTokenMs })
  }

  function find(instanceId: InstanceId, serviceType: ServiceType, opening: Opening): Promise<InstanceRow | null> {
    lookups += 1
    return findInstance(options.runtime, instanceId, serviceType, opening)
  }

  return {
    open,
    openForUser,
    statistics: () => ({
      sessions: sessions.size,
      decrypted: keeper.held,
      lookups,
      hearsOfChanges: listener.listening,
    }),
    async close() {
      keeper.close()
      sessions.dropAll()
      await Promise.all([listener.close(), options.refresher?.close()])
    },
  }
}

interface Pending {
  readonly instanceId: InstanceId
  /** Told of a change since it began. */
  overtaken: boolean
  session: Promise<InstanceSession>
}

interface Established {
  readonly opening: Opening
  /** Null: the token's own row says. */
  readonly granted: AccessGrant | null
}
type Establish = () => Promise<Established | null>

/** Nothing is asked of anybody for what can't be a token. */
function looksRight(presented: PresentedSecret, accessTokens: boolean): boolean {
  if (isSecretOf(presented.kind, presented.secret)) return true
  if (presented.kind === 'url' || !accessTokens) return false
  const { length } = presented.secret
  return length > 0 && length <= accessTokenCharactersMax && !/^cf[iup]_/.test(presented.secret)
}

/** Whether a session can go on as it is, with what it has decrypted. */
function isStill(known: OpenedInstance, row: InstanceRow, endsAtMs: number): boolean {
  return (
    known.endsAtMs === endsAtMs &&
    known.userId === row.userId &&
    known.tokenId === row.tokenId &&
    known.credentialVersion === row.credentialVersion &&
    known.stored.main === row.credential.main &&
    known.needsAuthorization === row.needsAuthorization &&
    known.accessExpiresAtMs === row.accessExpiresAtMs &&
    JSON.stringify(known.settings) === JSON.stringify(row.settings) &&
    (row.scopes === null ||
      (row.scopes.length === known.scopes.size && row.scopes.every((scope) => known.scopes.has(scope))))
  )
}
