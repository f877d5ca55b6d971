// What our OAuth tokens look like and how they are stored.
import { createHash } from 'node:crypto'

export const accessTokenPrefix = 'cfo_'
export const refreshTokenPrefix = 'cfr_'

/** What a client can ask for; `offline_access` is for a refresh token. */
export const oauthScopes = ['mcp:read', 'mcp:call', 'offline_access'] as const
export type McpScope = 'mcp:read' | 'mcp:call'

/** The digest under which a token (without its prefix) is stored and found. */
export function tokenDigest(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}
