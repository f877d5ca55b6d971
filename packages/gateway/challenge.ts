import type { InstanceId, ServiceType } from '@crossfade/model/platform-ids.ts'

/** Scopes of OAuth tokens for instances. */
export const mcpScopes = ['mcp:read', 'mcp:call'] as const

/** Address of an instance: what clients connect to, and the audience of OAuth tokens for it. */
export function instanceUrl(
  baseUrl: string,
  instanceId: InstanceId | string,
  serviceType: ServiceType | string,
): string {
  return `${baseUrl}/${instanceId}/${serviceType}/`
}

/** Address of an instance's protected resource metadata: the well-known word goes between host and path (RFC 9728, section 3.1). */
export function resourceMetadataUrl(baseUrl: string, instanceId: string, serviceType: string): string {
  return `${baseUrl}/.well-known/oauth-protected-resource/${instanceId}/${serviceType}/`
}

/** The `WWW-Authenticate` of a 401 (RFC 6750 section 3, RFC 9728 section 5.1): where a client learns how to get a token. */
export function challenge(baseUrl: string, instanceId: string, serviceType: string, error?: 'invalid_token'): string {
  const parts = [
    `resource_metadata="${resourceMetadataUrl(baseUrl, instanceId, serviceType)}"`,
    `scope="${mcpScopes.join(' ')}"`,
    ...(error === undefined ? [] : [`error="${error}"`]),
  ]
  return `Bearer ${parts.join(', ')}`
}
