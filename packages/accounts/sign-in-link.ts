// Signs in whoever holds a link: for the owner of a local installation, who has no password, and the command line that
// opens the console for them. A link works once, for three minutes.
import { randomBytes } from 'node:crypto'
import { fail } from '@crossfade/model/failure.ts'
import type { UserId } from '@crossfade/model/platform-ids.ts'
import type { AccountsContext } from './accounts-context.ts'
import { escapeHtml, seeOther } from './http-answers.ts'
import { tokenDigest } from './oauth-tokens.ts'
import { isOwnOrigin } from './own-origin.ts'
import { errorPage, page } from './pages.ts'
import { authPath } from './paths.ts'
import { addressHeader } from './sign-in-library.ts'

export const signInLinkMsMax = 3 * 60_000

/** A new link for a user. A secret until it is used or old: for the person's own terminal or browser alone. CF12306 for an unknown or inactive user. */
export async function createSignInLink(context: AccountsContext, userId: UserId): Promise<string> {
  const found = await context.pool.query('SELECT FROM users WHERE id = $1 AND is_active', [userId])
  if (found.rowCount === 0) throw fail('CF12306')
  const { internalAdapter } = await context.library.$context
  const session = await internalAdapter.createSession(userId)
  const code = randomBytes(32).toString('base64url')
  await internalAdapter.createVerificationValue({
    identifier: `one-time-token:${tokenDigest(code)}`,
    value: session.token,
    expiresAt: new Date(Date.now() + signInLinkMsMax),
  })
  return `${new URL(context.options.baseUrl).origin}${authPath}/sign-in-link?code=${code}`
}

/** Asks before it signs in: programs that look at links ahead of a person must not use it up. */
export function signInLinkPage(request: Request): Response {
  const code = new URL(request.url).searchParams.get('code') ?? ''
  return page(
    200,
    'Sign in',
    `<h1>Sign in to Crossfade</h1>
<p>You come from the command line of this installation.</p>
<form method="post" action="${authPath}/sign-in-link">
<input type="hidden" name="code" value="${escapeHtml(code)}">
<button class="yes">Sign in</button>
</form>`,
  )
}

/** Uses a link up: the browser has a session then and goes to the console. */
export async function useSignInLink(context: AccountsContext, request: Request): Promise<Response> {
  // Nobody is signed in as somebody else by a form of another page.
  if (!isOwnOrigin(context.options, request)) return errorPage(new URLSearchParams({ error: 'wrong_origin' }), 403)
  const code = new URLSearchParams(await request.text()).get('code') ?? ''
  const headers = new Headers({ 'content-type': 'application/json', origin: request.headers.get('origin')! })
  headers.set(addressHeader, request.headers.get(addressHeader) ?? '')
  const answer = await context.library.handler(
    new Request(`${new URL(context.options.baseUrl).origin}${authPath}/one-time-token/verify`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ token: code }),
    }),
  )
  if (!answer.ok) return errorPage(new URLSearchParams({ error: 'link_used' }))
  const home = seeOther('/')
  for (const cookie of answer.headers.getSetCookie()) home.headers.append('set-cookie', cookie)
  return home
}
