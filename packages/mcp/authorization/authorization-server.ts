// What a service's configuration says of its authorization server, as the OAuth library wants it, and the way there.
import type { ServiceAuth, ServiceConfig } from '@crossfade/catalog/service-config.ts'
import { fail } from '@crossfade/model/failure.ts'
import * as oauth from 'oauth4webapi'
import type { fetch } from 'undici'
import type { GuardOptions } from '../upstream/address-guard.ts'
import { guardedFetch } from '../upstream/guarded-fetch.ts'
import type { OAuthClient } from './oauth-client.ts'

/** An authorization server answers within this. */
export const tokenRequestMsMax = 10_000
/** Of a token endpoint's answer. */
const answerBytesMax = 256 * 1024

export type OAuthConfig = Extract<ServiceAuth, { type: 'oauth2' }>

/** The service's OAuth configuration. Throws CF12020 when it has none. */
export function needOAuth(config: ServiceConfig): OAuthConfig {
  if (config.auth.type !== 'oauth2') throw fail('CF12020', { service: config.serviceType })
  return config.auth
}

/** The server as the library wants it. Configurations name no issuer: its place is taken by the origin of the consent page, and responses are held to that. */
export function serverOf(config: OAuthConfig): oauth.AuthorizationServer {
  return {
    issuer: new URL(config.authorizationUrl).origin,
    authorization_endpoint: config.authorizationUrl,
    token_endpoint: config.tokenUrl,
  }
}

export function clientAuthentication(config: OAuthConfig, client: OAuthClient): oauth.ClientAuth {
  if (client.clientSecret === null) return oauth.None()
  return config.clientAuthentication === 'basic'
    ? oauth.ClientSecretBasic(client.clientSecret)
    : oauth.ClientSecretPost(client.clientSecret)
}

/** Words for a bearer token that some services have of their own (Slack's `bot` and `user`). */
export const tokenTypes: oauth.RecognizedTokenTypes = { bot: () => {}, user: () => {}, token: () => {} }

export interface TokenTransport {
  /** Options of every request of the OAuth library to this server. */
  options(config: OAuthConfig): oauth.TokenEndpointRequestOptions
  close(): Promise<void>
}

/** Requests to token endpoints: to public addresses alone (and `allowedPrivateHosts`), without redirects, bounded in time and size. Plain HTTP only to hosts that were allowed so. */
export function createTokenTransport(guard: GuardOptions = {}): TokenTransport {
  const guarded = guardedFetch(guard, { headersTimeout: tokenRequestMsMax, bodyTimeout: tokenRequestMsMax })
  const allowed = new Set(guard.allowedPrivateHosts)
  return {
    options: (config) => ({
      signal: () => AbortSignal.timeout(tokenRequestMsMax),
      [oauth.customFetch]: async (url, { body, headers, method, signal }) => {
        const request = { method, headers, body: body.toString(), redirect: 'manual' } as const
        const response = await guarded.fetch(url, signal ? { ...request, signal } : request)
        return regular(response.status, response.headers.get('content-type'), await boundedText(response))
      },
      ...(allowed.has(new URL(config.tokenUrl).host) && { [oauth.allowInsecureRequests]: true }),
    }),
    close: () => guarded.close(),
  }
}

async function boundedText(response: Awaited<ReturnType<typeof fetch>>): Promise<string> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of response.body ?? []) {
    bytes += piece.byteLength
    if (bytes > answerBytesMax) throw new Error(`the answer is larger than ${answerBytesMax} bytes`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}

/**
 * Answers of token endpoints as RFC 6749 has them. Known to differ: an error under status 200 (GitHub, Slack), no `token_type` (LinkedIn), a token under
 * `authed_user` (Slack's user tokens).
 */
function regular(status: number, contentType: string | null, text: string): Response {
  let body = text
  let answered = status
  try {
    const parsed = JSON.parse(text) as Record<string, unknown>
    const user = parsed['authed_user'] as Record<string, unknown> | undefined
    const answer = parsed['access_token'] === undefined && user?.['access_token'] !== undefined ? user : parsed
    if (status === 200 && answer['access_token'] === undefined && typeof answer['error'] === 'string') answered = 400
    if (answer['access_token'] !== undefined && answer['token_type'] === undefined) answer['token_type'] = 'bearer'
    // An ID token would have to be verified; nothing here asks who the person is.
    delete answer['id_token']
    body = JSON.stringify(answer)
  } catch {
    // Not JSON: the library says so.
  }
  return new Response(body, { status: answered, headers: { 'content-type': contentType ?? 'application/json' } })
}

/** The code of an OAuth error that the server answered, if that is what it is. */
export function oauthErrorOf(error: unknown): string | null {
  if (error instanceof oauth.ResponseBodyError || error instanceof oauth.AuthorizationResponseError) {
    return error.error.replace(/[^\x20-\x7e]/g, '').slice(0, 100)
  }
  return null
}
