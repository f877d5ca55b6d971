import type { AccountsOptions } from './accounts-options.ts'

/**
 * Whether a form came from a page of ours. SameSite=Lax keeps the cookie from a foreign form already; this holds where a
 * browser doesn't, and for forms that need no cookie.
 */
export function isOwnOrigin(options: AccountsOptions, request: Request): boolean {
  const origin = request.headers.get('origin')
  return origin !== null && [new URL(options.baseUrl).origin, ...(options.trustedOrigins ?? [])].includes(origin)
}
