// What an MCP client is told about an instance as an OAuth resource: RFC 9728, and the challenge that leads there.
import { instanceUrl, parseInstanceResource } from './instance-resource.ts'

const wellKnown = '/.well-known/oauth-protected-resource'
export const protectedResourcePaths: readonly string[] = [`${wellKnown}/*`]

/** RFC 9728 §2. */
export interface ProtectedResourceMetadata {
  readonly resource: string
  readonly authorization_servers: readonly string[]
  readonly scopes_supported: readonly string[]
  readonly bearer_methods_supported: readonly string[]
  readonly resource_name: string
}

export interface ProtectedResourceOptions {
  readonly baseUrl: string
  /** `Accounts.issuer`, and the issuers of others that are configured. */
  readonly issuers: readonly string[]
}

/**
 * The metadata document for a request's path, or null when the path is none of an instance's. Well-formed ids get one
 * whether they exist or not, so that it tells nobody which do.
 */
export function protectedResourceMetadata(
  options: ProtectedResourceOptions,
  pathname: string,
): ProtectedResourceMetadata | null {
  if (!pathname.startsWith(`${wellKnown}/`)) return null
  const resource = parseInstanceResource(
    options.baseUrl,
    `${new URL(options.baseUrl).origin}${pathname.slice(wellKnown.length)}`,
  )
  if (!resource) return null
  return {
    resource: resource.url,
    authorization_servers: options.issuers,
    // offline_access is the authorization server's business, not the resource's.
    scopes_supported: ['mcp:read', 'mcp:call'],
    bearer_methods_supported: ['header'],
    resource_name: `${resource.serviceType} on Crossfade`,
  }
}

/** Answers a request for a metadata document; browsers of any origin may read it. */
export function answerProtectedResource(options: ProtectedResourceOptions, request: Request): Response {
  const headers = { 'access-control-allow-origin': '*', 'cache-control': 'public, max-age=300' }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return new Response(null, { status: 405, headers: { allow: 'GET, HEAD' } })
  }
  const metadata = protectedResourceMetadata(options, new URL(request.url).pathname)
  return metadata
    ? Response.json(metadata, { headers })
    : Response.json({ error: 'not_found' }, { status: 404, headers })
}

/** Why a request for an instance was refused. `none_shown` is no error: the client is told where to get a token. */
export type ChallengeReason = 'none_shown' | 'invalid_token' | 'insufficient_scope'

/** The value of WWW-Authenticate for a 401 (`none_shown`, `invalid_token`) or a 403 (`insufficient_scope`). RFC 6750 §3. */
export function challenge(
  baseUrl: string,
  instanceId: Parameters<typeof instanceUrl>[1],
  serviceType: Parameters<typeof instanceUrl>[2],
  reason: ChallengeReason,
): string {
  const resource = new URL(instanceUrl(baseUrl, instanceId, serviceType))
  const parts = [
    `resource_metadata="${resource.origin}${wellKnown}${resource.pathname}"`,
    `scope="${reason === 'insufficient_scope' ? 'mcp:call' : 'mcp:read mcp:call'}"`,
  ]
  if (reason === 'invalid_token') {
    parts.unshift(
      'error="invalid_token"',
      'error_description="The token is unknown, revoked, expired or for another instance."',
    )
  }
  if (reason === 'insufficient_scope') {
    parts.unshift(
      'error="insufficient_scope"',
      'error_description="This tool changes something; the token may only read."',
    )
  }
  return `Bearer ${parts.join(', ')}`
}
