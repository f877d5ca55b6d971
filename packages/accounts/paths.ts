// Where accounts are, apart from the library that serves them: it is large, and most workers are never asked for it.

/** Everything of accounts is below this. */
export const authPath = '/api/v1/auth'

/** Paths that accounts answer, a `*` at the end for everything below. */
export const accountPaths: readonly string[] = [`${authPath}/*`, `/.well-known/oauth-authorization-server${authPath}`]

/** The authorization server's issuer URL (RFC 8414). */
export function issuerOf(baseUrl: string): string {
  return `${new URL(baseUrl).origin}${authPath}`
}
