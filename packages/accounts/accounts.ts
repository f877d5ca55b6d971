// People's accounts: sign-up, sign-in, sessions, and OAuth for MCP clients, behind one `handle`.
import { openPool } from '@crossfade/mcp-database/pool.ts'
import type { UserId } from '@crossfade/model/platform-ids.ts'
import type { AccountsContext } from './accounts-context.ts'
import type { AccountSession, AccountsOptions } from './accounts-options.ts'
import { applicationsOf, endApplication, type GrantedApplication } from './applications.ts'
import { answerJson, boundedRequest } from './http-answers.ts'
import { answerServerMetadata, handleOAuth } from './oauth-requests.ts'
import { accountPaths, authPath, issuerOf } from './paths.ts'
import { addressHeader, createSignInLibrary } from './sign-in-library.ts'
import { createSignInLink, signInLinkPage, useSignInLink } from './sign-in-link.ts'

/** Connections of one process; sign-in is seldom, and hashing bounds it more than the database does. */
const connectionsMax = 5

export interface Accounts {
  /**
   * Answers a request for one of `paths`. Bodies beyond 64 KiB are refused with 413. `caller.address` is the address that
   * attempts are counted by. Never rejects: a failure is a 500 or 503 without details.
   */
  handle(request: Request, caller: { readonly address: string }): Promise<Response>
  /** Whose session the cookie of these headers is, or null. Always asks the database: a revoked session is over at once. */
  sessionOf(headers: Headers): Promise<AccountSession | null>
  /** A link that signs its user in, once, within three minutes: for the command line of a local installation. CF12306 for an unknown user. */
  createSignInLink(userId: UserId): Promise<string>
  /** MCP clients that the user let in by OAuth, the last one first. */
  applicationsOf(userId: UserId): Promise<readonly GrantedApplication[]>
  /** Puts one of them out, on every worker at once. Rejects with CF12043 when the user has let in none of this id. */
  endApplication(userId: UserId, id: string): Promise<void>
  /** Paths that `handle` wants, a `*` at the end for everything below. */
  readonly paths: readonly string[]
  /** The authorization server's issuer URL. */
  readonly issuer: string
  close(): Promise<void>
}

/** The library's own endpoints that are open. Everything else of it (administration of clients, resources) is not. */
const openPaths: ReadonlySet<string> = new Set([
  'POST /sign-up/email',
  'POST /sign-in/email',
  'POST /sign-out',
  'GET /get-session',
  'GET /list-sessions',
  'POST /revoke-session',
  'POST /revoke-sessions',
  'POST /revoke-other-sessions',
  'POST /update-user',
  'POST /change-password',
  'POST /delete-user',
])
const mailPaths: ReadonlySet<string> = new Set([
  'POST /request-password-reset',
  'POST /reset-password',
  'POST /send-verification-email',
  'GET /verify-email',
])

/** Opens the accounts of one installation. Connects when first used; the migrations must have run. */
export function createAccounts(options: AccountsOptions): Accounts {
  const pool = openPool(ownUrl(options), { applicationName: 'crossfade mcp accounts', connectionsMax })
  const library = createSignInLibrary(pool, options)
  const issuer = issuerOf(options.baseUrl)
  const [, metadataPath] = accountPaths

  const sessionOf = async (headers: Headers): Promise<AccountSession | null> => {
    // Fast refusal, and no cookie means no look-up.
    if (!headers.has('cookie')) return null
    const found = await library.api.getSession({ headers: new Headers({ cookie: headers.get('cookie')! }) })
    if (!found) return null
    return {
      userId: found.user.id as UserId,
      sessionToken: found.session.token,
      name: found.user.name,
      email: found.user.email,
      role: found.user.role === 'admin' ? 'admin' : 'member',
    }
  }
  const context: AccountsContext = { options, library, pool, sessionOf }

  const answer = async (request: Request): Promise<Response> => {
    const path = new URL(request.url).pathname
    if (path === metadataPath) return answerServerMetadata(context, request)
    if (!path.startsWith(`${authPath}/`)) return answerJson(404, { code: 'NOT_FOUND', message: 'Not found' })
    const inner = path.slice(authPath.length)
    if (inner === '/sign-in-link' && request.method === 'GET') return signInLinkPage(request)
    if (inner === '/sign-in-link' && request.method === 'POST') return useSignInLink(context, request)
    if (inner.startsWith('/oauth2/') || inner === '/error') return handleOAuth(context, inner, request)
    const key = `${request.method} ${inner}`
    if (mailPaths.has(key) || inner.startsWith('/reset-password/')) {
      if (options.sendMail) return library.handler(request)
      return answerJson(501, {
        code: 'MAIL_NOT_CONFIGURED',
        message:
          'This installation sends no mail. Ask its operator to set a new password (`crossfade mcp users set-password`).',
      })
    }
    if (openPaths.has(key)) return library.handler(request)
    return answerJson(404, { code: 'NOT_FOUND', message: 'Not found' })
  }

  return {
    paths: accountPaths,
    issuer,
    sessionOf,
    applicationsOf: (userId) => applicationsOf(pool, options.baseUrl, userId),
    endApplication: (userId, id) => endApplication(pool, userId, id),
    createSignInLink: (userId) => createSignInLink(context, userId),
    async handle(request, caller) {
      try {
        const bounded = await boundedRequest(request, options.baseUrl, { [addressHeader]: caller.address })
        return bounded instanceof Response ? bounded : await answer(bounded)
      } catch (cause) {
        options.onError?.(cause instanceof Error ? cause.message : String(cause))
        return answerJson(503, { code: 'UNAVAILABLE', message: 'Accounts are not available now. Try again soon.' })
      }
    },
    close: () => pool.end(),
  }
}

/** The trigger that makes the first user an admin reads a setting of the connection. */
function ownUrl(options: AccountsOptions): string {
  const url = new URL(options.databaseUrl)
  if (options.firstUserIsAdmin === false) url.searchParams.set('options', '-c crossfade_mcp.first_user_is_admin=off')
  return url.href
}
