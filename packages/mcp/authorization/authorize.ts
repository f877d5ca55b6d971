// Walking a user through an upstream's consent page, and back.
import { hash } from 'node:crypto'
import type { Service } from '@crossfade/catalog/catalog.ts'
import type { ServiceConfig } from '@crossfade/catalog/service-config.ts'
import { asUser } from '@crossfade/mcp-database/as-user.ts'
import { audit } from '@crossfade/mcp-database/audit.ts'
import { Failure, fail } from '@crossfade/model/failure.ts'
import type { ServiceType } from '@crossfade/model/platform-ids.ts'
import * as oauth from 'oauth4webapi'
import { auditRefusal, type InstanceStores } from '../instances/connect.ts'
import { readVariables } from '../instances/credential-input.ts'
import { readInstances } from '../instances/instance-record.ts'
import { type Acting, type StoredInstance, storeCredential } from '../instances/store-credential.ts'
import {
  clientAuthentication,
  needOAuth,
  oauthErrorOf,
  serverOf,
  type TokenTransport,
  tokenTypes,
} from './authorization-server.ts'
import { redirectUri } from './redirect-uri.ts'
import { clientFor, clientVariable, type UpstreamClients } from './upstream-clients.ts'

/** From the beginning to the way back. */
export const authorizationMsMax = 600_000
/** An access token that is said to live longer ends after ten years: some say so by numbers that are no date any more. */
const accessSecondsMax = 10 * 365.25 * 86_400
/** Walks of one user at once; the oldest are forgotten. */
const authorizationsMax = 20

export interface AuthorizationStores extends InstanceStores {
  readonly clients: UpstreamClients
  readonly transport: TokenTransport
  /** Public address of the platform, without a slash at the end. */
  readonly baseUrl: string
}

/** Whoever goes through a consent page is a browser with a session: a token has no browser that it could be bound to. */
export interface ActingInBrowser extends Acting {
  readonly proof: { readonly kind: 'session'; readonly token: string }
}

/**
 * Begins: where the browser has to go. State and PKCE verifier wait in the database for `authorizationMsMax`, for this session alone.
 * Rejects with CF12013, CF12020, CF12021 (no client is configured), CF12012 (a variable).
 */
export async function startAuthorization(
  stores: AuthorizationStores,
  acting: ActingInBrowser,
  serviceType: ServiceType,
  wish: { readonly returnTo: string; readonly variables?: Readonly<Record<string, string>> },
): Promise<URL> {
  const { config } = needService(stores, serviceType)
  const auth = needOAuth(config)
  const client = await needClient(stores, config)
  const state = oauth.generateRandomState()
  const verifier = oauth.generateRandomCodeVerifier()
  const redirect = redirectUri(stores.baseUrl, serviceType)
  await asUser(stores.api, acting.proof, async (database) => {
    const known = (await readInstances(database, serviceType))[0]
    const variables = readVariables(config, wish.variables ?? {}, known?.settings.variables)
    await database.query(
      `DELETE FROM upstream_authorizations WHERE expires_at < now() OR state_hash IN (
         SELECT state_hash FROM upstream_authorizations ORDER BY created_at DESC OFFSET ${authorizationsMax - 1})`,
    )
    await database.query(
      `INSERT INTO upstream_authorizations
         (state_hash, user_id, session_hash, service_type, code_verifier, redirect_uri, client_id, return_to, variables, expires_at)
       VALUES ($1, current_user_id(), $2, $3, $4, $5, $6, $7, $8, now() + $9 * interval '1 millisecond')`,
      [
        digest(state),
        digest(acting.proof.token),
        serviceType,
        verifier,
        redirect,
        client.clientId,
        wish.returnTo,
        JSON.stringify(variables),
        authorizationMsMax,
      ],
    )
  })
  const url = new URL(auth.authorizationUrl)
  for (const [name, value] of Object.entries(auth.authorizationParameters ?? {})) url.searchParams.set(name, value)
  url.searchParams.set('response_type', 'code')
  url.searchParams.set('client_id', client.clientId)
  url.searchParams.set('redirect_uri', redirect)
  if (auth.scopes.length > 0) url.searchParams.set('scope', auth.scopes.join(auth.scopeSeparator ?? ' '))
  url.searchParams.set('state', state)
  url.searchParams.set('code_challenge', await oauth.calculatePKCECodeChallenge(verifier))
  url.searchParams.set('code_challenge_method', 'S256')
  return url
}

export interface Authorized extends StoredInstance {
  readonly returnTo: string
}

/** What became of a walk that failed after it was known where it began. */
export class AuthorizationFailed extends Error {
  readonly failure: Failure
  readonly returnTo: string
  constructor(failure: Failure, returnTo: string) {
    super(failure.message, { cause: failure })
    this.failure = failure
    this.returnTo = returnTo
  }
}

/**
 * Ends it: takes the code to the token endpoint and stores what comes back. `parameters` are those that the upstream sent the browser back with.
 * Works once per state, and only for the user and the session that began it. Rejects with CF12022 (unknown, used, too late), CF12023 (somebody else's session), and with
 * `AuthorizationFailed` around CF12024 (refused) and CF12025 (unusable). Both kinds are audited.
 */
export async function finishAuthorization(
  stores: AuthorizationStores,
  acting: ActingInBrowser,
  serviceType: ServiceType,
  parameters: URLSearchParams,
): Promise<Authorized> {
  const refuse = async (failure: Failure): Promise<never> => {
    await auditRefusal(stores.api, acting, 'authorization.finish', serviceType, failure)
    throw failure
  }
  const { config } = needService(stores, serviceType)
  const auth = needOAuth(config)
  const state = parameters.get('state') ?? ''
  const walk = await takeWalk(stores, acting, state)
  // Of another service: the code is another server's (mix-up, RFC 9700 section 4.4).
  if (walk === null || walk.service_type !== serviceType) return refuse(fail('CF12022'))
  if (!walk.session_hash.equals(digest(acting.proof.token))) return refuse(fail('CF12023'))
  try {
    const tokens = await exchange(stores, config, walk, state, parameters)
    const stored = await storeCredential(stores, acting, {
      serviceType,
      credential: {
        kind: 'oauth2',
        accessToken: tokens.access_token,
        ...(tokens.refresh_token !== undefined && { refreshToken: tokens.refresh_token }),
      },
      accountLabel: await accountOf(stores, config, tokens.access_token, walk.variables),
      verified: true,
      expiresAt: expiryOf(tokens),
      variables: config.variables === undefined ? null : walk.variables,
      token: null,
    })
    return { ...stored, returnTo: walk.return_to }
  } catch (error) {
    const failure = failureOf(error, auth.authorizationUrl, config)
    await auditRefusal(stores.api, acting, 'authorization.finish', serviceType, failure)
    throw new AuthorizationFailed(failure, walk.return_to)
  }
}

/** When an access token ends, by this process's clock; null: it doesn't say. */
export function expiryOf(tokens: oauth.TokenEndpointResponse): Date | null {
  if (tokens.expires_in === undefined) return null
  return new Date(Date.now() + Math.min(tokens.expires_in, accessSecondsMax) * 1000)
}

interface Walk {
  session_hash: Buffer
  service_type: ServiceType
  code_verifier: string
  redirect_uri: string
  client_id: string
  return_to: string
  variables: Record<string, string>
}

/** Takes the walk out, so that its state works once. Another user's is not there to be seen. */
async function takeWalk(stores: AuthorizationStores, acting: ActingInBrowser, state: string): Promise<Walk | null> {
  return asUser(stores.api, acting.proof, async (client) => {
    const { rows } = await client.query<Walk & { in_time: boolean }>(
      `DELETE FROM upstream_authorizations WHERE state_hash = $1 AND user_id = current_user_id()
       RETURNING session_hash, service_type, code_verifier, redirect_uri, client_id, return_to, variables, expires_at > now() AS in_time`,
      [digest(state)],
    )
    const walk = rows[0]
    if (walk) {
      await audit(client, {
        action: 'authorization.return',
        subject: walk.service_type,
        outcome: walk.in_time ? 'done' : 'refused',
        ...(acting.sourceIp !== undefined && { sourceIp: acting.sourceIp }),
      })
    }
    return walk?.in_time ? walk : null
  })
}

async function exchange(
  stores: AuthorizationStores,
  config: ServiceConfig,
  walk: Walk,
  state: string,
  parameters: URLSearchParams,
): Promise<oauth.TokenEndpointResponse> {
  const auth = needOAuth(config)
  const client = await needClient(stores, config)
  if (client.clientId !== walk.client_id)
    throw fail('CF12025', { service: config.serviceType, reason: 'the OAuth client was changed meanwhile' })
  const server = serverOf(auth)
  const checked = new URLSearchParams(parameters)
  // Issuers may have a path; configurations know only where they are.
  const issuer = checked.get('iss')
  if (issuer !== null && originOf(issuer) === server.issuer) checked.set('iss', server.issuer)
  const response = oauth.validateAuthResponse(server, { client_id: client.clientId }, checked, state)
  const answer = await oauth.authorizationCodeGrantRequest(
    server,
    { client_id: client.clientId },
    clientAuthentication(auth, client),
    response,
    walk.redirect_uri,
    walk.code_verifier,
    stores.transport.options(auth),
  )
  const processing = { recognizedTokenTypes: tokenTypes }
  return oauth.processAuthorizationCodeResponse(server, { client_id: client.clientId }, answer, processing)
}

/** Whose account it is, for the eye alone: nothing depends on it. */
async function accountOf(
  stores: AuthorizationStores,
  config: ServiceConfig,
  accessToken: string,
  variables: Readonly<Record<string, string>>,
): Promise<string | null> {
  const service = stores.catalog().services.get(config.serviceType)
  if (!service || config.verification === null) return null
  try {
    const verdict = await stores.verifyKey(service, { kind: 'oauth2', accessToken }, variables)
    return verdict.kind === 'valid' ? verdict.accountLabel : null
  } catch {
    return null
  }
}

function needService(stores: AuthorizationStores, serviceType: ServiceType): Service {
  const service = stores.catalog().services.get(serviceType)
  if (!service) throw fail('CF12013', { service: serviceType })
  return service
}

async function needClient(stores: AuthorizationStores, config: ServiceConfig) {
  const client = await clientFor(stores.clients, config)
  if (client) return client
  const { serviceType } = config
  const variable = clientVariable(serviceType)
  throw fail('CF12021', { service: serviceType, variable, redirectUri: redirectUri(stores.baseUrl, serviceType) })
}

function failureOf(error: unknown, authorizationUrl: string, { serviceType: service }: ServiceConfig): Failure {
  if (error instanceof Failure) return error
  const code = oauthErrorOf(error)
  if (error instanceof oauth.AuthorizationResponseError) return fail('CF12024', { service, reason: code! }, error)
  if (code !== null) return fail('CF12025', { service, reason: `the token endpoint says ${code}` }, error)
  if (error instanceof oauth.OperationProcessingError || error instanceof oauth.UnsupportedOperationError)
    return fail('CF12025', { service, reason: 'it does not keep to OAuth' }, error)
  return fail('CF12025', { service, reason: `${originOf(authorizationUrl)} did not answer` }, error)
}

function originOf(url: string): string | null {
  return URL.canParse(url) ? new URL(url).origin : null
}

function digest(text: string): Buffer {
  return hash('sha256', text, 'buffer')
}
