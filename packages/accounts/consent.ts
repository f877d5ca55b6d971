// The consent page: which application wants to do what with which instance, as whom, and where the answer goes.
import { audit } from '@crossfade/mcp-database/audit.ts'
import type { AccountsContext } from './accounts-context.ts'
import { isDocumentAddress } from './client-documents.ts'
import { escapeHtml, seeOther } from './http-answers.ts'
import { isOwner } from './instance-owner.ts'
import { parseInstanceResource } from './instance-resource.ts'
import { isOwnOrigin } from './own-origin.ts'
import { errorPage, page } from './pages.ts'
import { authPath } from './paths.ts'
import { addressHeader } from './sign-in-library.ts'

const scopeSentences: Readonly<Record<string, string>> = {
  'mcp:read': 'See its tools and call those that only read',
  'mcp:call': 'Call every tool, also those that change something',
  offline_access: 'Stay connected until you disconnect it',
}

interface ClientRow {
  name: string | null
  uri: string | null
  redirect_uris: string[]
}

/** Shows the page for a signed query of the library's. A forged one shows, but its form is refused. */
export async function consentPage(context: AccountsContext, request: Request): Promise<Response> {
  const query = new URL(request.url).searchParams
  const clientId = query.get('client_id') ?? ''
  const session = await context.sessionOf(request.headers)
  if (!session) return errorPage(new URLSearchParams({ error: 'missing_session' }), 401)
  const found = await context.pool.query<ClientRow>(
    'SELECT name, uri, redirect_uris FROM oauth_clients WHERE client_id = $1',
    [clientId],
  )
  const client = found.rows[0]
  const resource = parseInstanceResource(context.options.baseUrl, query.get('resource') ?? '')
  const redirect = query.get('redirect_uri') ?? ''
  if (!client || !resource || !URL.canParse(redirect))
    return errorPage(new URLSearchParams({ error: 'invalid_request' }))
  const name = client.name?.trim() || 'An application without a name'
  const scopes = (query.get('scope') ?? '').split(' ').filter((scope) => scope in scopeSentences)
  const body = `<h1>${escapeHtml(name)} wants to use your ${escapeHtml(resource.serviceType)} instance</h1>
<p>You are signed in as ${escapeHtml(session.email)}.</p>
<dl>
<div><dt>Instance</dt><dd>${escapeHtml(resource.url)}</dd></div>
<div><dt>Application</dt><dd>${escapeHtml(isDocumentAddress(clientId) ? clientId : `${name} (registered itself)`)}</dd></div>
<div><dt>It would be able to</dt><dd><ul>${scopes.map((scope) => `<li>${scopeSentences[scope]}</li>`).join('')}</ul></dd></div>
<div><dt>Your answer goes to</dt><dd>${escapeHtml(whereTo(redirect))}</dd></div>
</dl>
<p class="quiet">The name is what the application calls itself; nobody has checked it. Allow it only if you started this in an application that you trust. It never sees the key that you stored.</p>
<form method="post" action="${authPath}/oauth2/decide">
<input type="hidden" name="query" value="${escapeHtml(query.toString())}">
<button name="answer" value="deny">Don’t allow</button>
<button class="yes" name="answer" value="allow">Allow</button>
</form>`
  return page(200, `Allow ${name}?`, body, [formTarget(redirect)])
}

/** Takes the form's answer and sends the browser back to the application, with a code or `access_denied`. */
export async function decideConsent(context: AccountsContext, request: Request): Promise<Response> {
  if (!isOwnOrigin(context.options, request)) return errorPage(new URLSearchParams({ error: 'wrong_origin' }), 403)
  const session = await context.sessionOf(request.headers)
  if (!session) return errorPage(new URLSearchParams({ error: 'missing_session' }), 401)
  const form = new URLSearchParams(await request.text())
  const query = form.get('query') ?? ''
  const resource = parseInstanceResource(context.options.baseUrl, new URLSearchParams(query).get('resource') ?? '')
  // The one who answers may be another than the one who was asked.
  if (!resource || !(await isOwner(context, resource, session.userId))) {
    return errorPage(new URLSearchParams({ error: 'invalid_request' }))
  }
  const headers = new Headers({ 'content-type': 'application/json', accept: 'application/json' })
  for (const name of ['cookie', 'origin', addressHeader]) headers.set(name, request.headers.get(name) ?? '')
  const answer = await context.library.handler(
    new Request(`${new URL(context.options.baseUrl).origin}${authPath}/oauth2/consent`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ accept: form.get('answer') === 'allow', oauth_query: query }),
    }),
  )
  const result = (await answer.json().catch(() => ({}))) as { url?: unknown; error?: unknown }
  if (!answer.ok || typeof result.url !== 'string') {
    return errorPage(new URLSearchParams({ error: String(result.error ?? 'invalid_request') }))
  }
  const clientId = new URLSearchParams(query).get('client_id')
  const client = await context.pool.query<Pick<ClientRow, 'name'>>(
    'SELECT name FROM oauth_clients WHERE client_id = $1',
    [clientId],
  )
  const sourceIp = request.headers.get(addressHeader)
  await audit(context.pool, {
    action: 'oauth.consent',
    subject: resource.instanceId,
    details: { clientId, application: client.rows[0]?.name ?? null },
    ...(sourceIp !== null && { sourceIp }),
    outcome: form.get('answer') === 'allow' ? 'done' : 'refused',
    userId: session.userId,
  })
  return seeOther(result.url)
}

/** The part of a redirect URI that tells a person whose it is. */
function whereTo(redirect: string): string {
  const url = new URL(redirect)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return `an application on this device (${url.protocol})`
  const local = url.hostname === 'localhost' || url.hostname === '127.0.0.1' || url.hostname === '[::1]'
  return local ? `a program on this machine (${url.host})` : url.host
}

/** A redirect URI as a source of Content-Security-Policy. */
function formTarget(redirect: string): string {
  const url = new URL(redirect)
  return url.protocol === 'http:' || url.protocol === 'https:' ? url.origin : url.protocol
}
