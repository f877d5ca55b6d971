import { setTimeout as sleep } from 'node:timers/promises'
import type { Catalog } from '@crossfade/catalog/catalog.ts'
import { Failure, fail, reasonOf } from '@crossfade/model/failure.ts'
import type { Vault } from '@crossfade/vault/vault.ts'
import * as oauth from 'oauth4webapi'
import type pg from 'pg'
import { ownerOf, type RefreshedInstance, refreshAheadMs, type TokenRefresher } from '../instances/credential-keeper.ts'
import { findInstance, type InstanceRow } from '../instances/instance-row.ts'
import { openRefreshToken, refreshTokenName, sealCredential } from '../instances/sealed-credential.ts'
import {
  clientAuthentication,
  needOAuth,
  oauthErrorOf,
  serverOf,
  type TokenTransport,
  tokenTypes,
} from './authorization-server.ts'
import { expiryOf } from './authorize.ts'
import { clientFor, type UpstreamClients } from './upstream-clients.ts'

/** Waiting for another worker that renews the same token. */
export const lockMsMax = 20_000
/** After a refusal by the upstream its token is renewed at most once in this: a token that is refused again is not too old. */
export const refusedAgainMsMin = 60_000
/** After a failure the authorization server is left in peace for this long. */
export const failedAgainMsMin = 5_000
/** How often a new token is tried to be stored: the old one is worth nothing any more. */
const storeAttemptsMax = 6
const storeDelayMs = 100
/** Instances whose last renewal is remembered. */
const rememberedMax = 10_000

/** Errors that no waiting mends: the user has to authorize again. `bad_refresh_token` is GitHub's word, the last three Slack's. */
const finalErrors: ReadonlySet<string> = new Set([
  'invalid_grant',
  'bad_refresh_token',
  'invalid_refresh_token',
  'token_revoked',
  'token_expired',
])

export interface RefresherOptions {
  /** Of the role crossfade_mcp_runtime. */
  readonly runtime: pg.Pool
  /** Of the same role, for renewals alone: each holds a connection, and the lock with it, while the authorization server answers. */
  readonly locks: pg.Pool
  readonly vault: Vault
  readonly catalog: () => Catalog
  readonly clients: UpstreamClients
  readonly transport: TokenTransport
}

/** Renews access tokens: one renewal per instance at a time over all workers, by a lock in the database that ends with its holder (M05). */
export function createTokenRefresher(options: RefresherOptions): TokenRefresher {
  const running = new Map<string, Promise<InstanceRow>>()
  /** When an instance's token was last renewed by this worker, or failed to be. */
  const last = new Map<string, { readonly atMs: number; readonly failure: Failure | null }>()

  function remember(instanceId: string, failure: Failure | null): void {
    last.delete(instanceId)
    if (last.size >= rememberedMax) last.delete(last.keys().next().value!)
    last.set(instanceId, { atMs: Date.now(), failure })
  }

  return {
    refresh(instance, refusedSealedToken) {
      const { instanceId } = instance
      const already = running.get(instanceId)
      if (already) return already
      const refreshing = refreshOnce(options, instance, refusedSealedToken, last.get(instanceId))
        .then(
          ({ row, renewed }) => {
            if (renewed) remember(instanceId, null)
            return row
          },
          (error: unknown) => {
            if (error instanceof Failure && error.code === 'CF12006') remember(instanceId, error)
            throw error
          },
        )
        .finally(() => running.delete(instanceId))
      running.set(instanceId, refreshing)
      return refreshing
    },
    async close() {
      await Promise.allSettled(running.values())
    },
  }
}

interface Renewal {
  readonly row: InstanceRow
  readonly renewed: boolean
}

async function refreshOnce(
  options: RefresherOptions,
  instance: RefreshedInstance,
  refusedSealedToken: string | null,
  last: { readonly atMs: number; readonly failure: Failure | null } | undefined,
): Promise<Renewal> {
  const service = instance.serviceType
  const client = await options.locks.connect().catch((cause: unknown) => {
    throw fail('CF12002', {}, cause)
  })
  try {
    await client.query(`BEGIN; SET LOCAL lock_timeout = ${lockMsMax}`)
    await client.query("SELECT pg_advisory_xact_lock(hashtextextended('crossfade_mcp.refresh/' || $1, 0))", [
      instance.instanceId,
    ])
    const row = await readRow(options.runtime, instance)
    if (row.needsAuthorization) throw fail('CF12004', { service, reason: 'its authorization has ended' })
    const done = isDone(row, refusedSealedToken, last)
    return done ? { row, renewed: false } : await renew(options, instance, row, last)
  } catch (error) {
    throw error instanceof Failure ? error : fail('CF12006', { service, reason: lockReason(error) }, error)
  } finally {
    // The transaction holds the lock and nothing else; what was stored is committed by now.
    const broken = await client.query('ROLLBACK').then(
      () => undefined,
      (trouble: Error) => trouble,
    )
    client.release(broken)
  }
}

/** Whether somebody has renewed it while the lock was waited for, or renewing it again would not help. */
function isDone(
  row: InstanceRow,
  refusedSealedToken: string | null,
  last: { readonly atMs: number; readonly failure: Failure | null } | undefined,
): boolean {
  if (!(refreshTokenName in row.credential.additional)) return true
  if (refusedSealedToken === null) {
    return row.accessExpiresAtMs === null || row.accessExpiresAtMs - refreshAheadMs > Date.now()
  }
  if (row.credential.main !== refusedSealedToken) return true
  return last !== undefined && last.failure === null && Date.now() - last.atMs < refusedAgainMsMin
}

async function renew(
  options: RefresherOptions,
  instance: RefreshedInstance,
  row: InstanceRow,
  last: { readonly atMs: number; readonly failure: Failure | null } | undefined,
): Promise<Renewal> {
  const service = instance.serviceType
  try {
    if (last?.failure && Date.now() - last.atMs < failedAgainMsMin) throw last.failure
    const tokens = await ask(options, instance, row)
    return { row: await store(options, instance, row, tokens), renewed: true }
  } catch (error) {
    const code = oauthErrorOf(error)
    if (code !== null && finalErrors.has(code)) {
      // A lock ends with its connection: who lost it may have been overtaken by a renewal that used this refresh token up.
      const now = await readRow(options.runtime, instance)
      if (now.credential.main !== row.credential.main) return { row: now, renewed: false }
      const values = [instance.instanceId, row.credentialVersion]
      await options.runtime.query('SELECT mark_needs_authorization($1, $2)', values)
      throw fail('CF12004', { service, reason: `its authorization server says ${code}` }, error)
    }
    const failure =
      error instanceof Failure ? error : fail('CF12006', { service, reason: reasonFor(error, code) }, error)
    throw failure
  }
}

async function ask(
  { vault, catalog, clients, transport }: RefresherOptions,
  instance: RefreshedInstance,
  row: InstanceRow,
): Promise<oauth.TokenEndpointResponse> {
  const service = instance.serviceType
  const config = catalog().services.get(service)?.config
  if (!config) throw fail('CF12006', { service, reason: 'it is not in the catalog' })
  const auth = needOAuth(config)
  const client = await clientFor(clients, config)
  if (!client) throw fail('CF12006', { service, reason: 'its OAuth client is no longer configured' })
  const refreshToken = (await openRefreshToken(vault, ownerOf(instance), row.credential))!
  const server = serverOf(auth)
  const identity = { client_id: client.clientId }
  const answer = await oauth.refreshTokenGrantRequest(
    server,
    identity,
    clientAuthentication(auth, client),
    refreshToken,
    transport.options(auth),
  )
  return oauth.processRefreshTokenResponse(server, identity, answer, { recognizedTokenTypes: tokenTypes })
}

/**
 * Stores the new token; with the new refresh token, if there is one. What the authorization server has given it does not give again, so a database that is away for a
 * moment is waited for.
 */
async function store(
  { runtime, vault }: RefresherOptions,
  instance: RefreshedInstance,
  row: InstanceRow,
  tokens: oauth.TokenEndpointResponse,
): Promise<InstanceRow> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const sealed = await sealCredential(vault, ownerOf(instance), {
        kind: 'oauth2',
        accessToken: tokens.access_token,
        ...(tokens.refresh_token !== undefined && { refreshToken: tokens.refresh_token }),
      })
      const additional = { ...row.credential.additional, ...sealed.additional }
      const values = [
        instance.instanceId,
        row.credentialVersion,
        sealed.main,
        JSON.stringify(additional),
        expiryOf(tokens),
      ]
      await runtime.query('SELECT store_refreshed_credential($1, $2, $3, $4, $5)', values)
      // Where the credential was replaced meanwhile, this finds the new one.
      return await readRow(runtime, instance)
    } catch (error) {
      if (attempt >= storeAttemptsMax || (error instanceof Failure && error.code === 'CF12001')) throw error
      await sleep(storeDelayMs * 2 ** attempt)
    }
  }
}

async function readRow(runtime: pg.Pool, instance: RefreshedInstance): Promise<InstanceRow> {
  const { instanceId, serviceType, userId } = instance
  const row = await findInstance(runtime, instanceId, serviceType, { kind: 'user', userId })
  if (!row) throw fail('CF12001')
  return row
}

function reasonFor(error: unknown, code: string | null): string {
  if (code !== null) return `its authorization server says ${code}`
  if (error instanceof oauth.OperationProcessingError) return 'its authorization server does not keep to OAuth'
  return `its authorization server did not answer (${reasonOf(error).slice(0, 200)})`
}

function lockReason(error: unknown): string {
  return (error as { code?: string }).code === '55P03' ? 'another worker is at it' : reasonOf(error).slice(0, 200)
}
