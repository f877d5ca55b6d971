// What stands before the library's OAuth endpoints: which instance a token may be for, sign-in, and consent.
import type { AccountsContext } from './accounts-context.ts'
import { isDocumentAddress, learnClient, mustAskAgain } from './client-documents.ts'
import { registerClient } from './client-registration.ts'
import { consentPage, decideConsent } from './consent.ts'
import { answerJson, seeOther } from './http-answers.ts'
import { isOwner } from './instance-owner.ts'
import { type InstanceResource, parseInstanceResource } from './instance-resource.ts'
import { oauthScopes } from './oauth-tokens.ts'
import { errorPage } from './pages.ts'
import { authPath } from './paths.ts'

const authorizePath = `${authPath}/oauth2/authorize`
/** Named in place of a resource that the user may not have, so that the library refuses it as an unknown one. */
const noResource = 'urn:crossfade:no-such-instance'

/** Answers a request below `/api/v1/auth/oauth2/`, or for the error page. */
export async function handleOAuth(context: AccountsContext, inner: string, request: Request): Promise<Response> {
  switch (`${request.method} ${inner}`) {
    case 'GET /oauth2/authorize':
      return authorize(context, request)
    case 'GET /oauth2/sign-in':
      return signIn(context, new URL(request.url).searchParams)
    case 'GET /oauth2/consent-page':
      return consentPage(context, request)
    case 'POST /oauth2/decide':
      return decideConsent(context, request)
    case 'POST /oauth2/token':
      return token(context, request)
    case 'POST /oauth2/register':
      return registerClient(context, request)
    case 'POST /oauth2/revoke':
    case 'POST /oauth2/introspect':
    case 'GET /oauth2/get-consents':
    case 'POST /oauth2/delete-consent':
    case 'GET /oauth2/public-client':
      return context.library.handler(request)
    case 'GET /error':
      return errorPage(new URL(request.url).searchParams)
    default:
      return answerJson(404, { code: 'NOT_FOUND', message: 'Not found' })
  }
}

/**
 * The authorization endpoint. Nobody signed in: to the sign-in page and back. Else the library's, with `resource` in our
 * spelling when it is an instance of this user, and as an unknown one when not: whether it exists is not told.
 */
async function authorize(context: AccountsContext, request: Request): Promise<Response> {
  const url = new URL(request.url)
  const session = await context.sessionOf(request.headers)
  if (!session) return signIn(context, url.searchParams)
  keepKnownPrompts(url.searchParams)
  const asked = url.searchParams.getAll('resource')
  const resource = asked.length === 1 ? parseInstanceResource(context.options.baseUrl, asked[0]!) : null
  url.searchParams.delete('resource')
  if (resource && (await isOwner(context, resource, session.userId))) {
    await storeResource(context, resource)
    url.searchParams.set('resource', resource.url)
  } else {
    url.searchParams.set('resource', noResource)
  }
  const clientId = url.searchParams.get('client_id') ?? ''
  if (isDocumentAddress(clientId)) await learnClient(context, clientId)
  if (mustAskAgain(clientId, url.searchParams.get('redirect_uri') ?? '')) url.searchParams.set('prompt', 'consent')
  await askToStayConnected(context, url.searchParams)
  const headers = new Headers(request.headers)
  // The library answers scripts with JSON instead of a redirect; the endpoint is for navigation.
  headers.set('accept', 'text/html')
  headers.set('sec-fetch-mode', 'navigate')
  return context.library.handler(new Request(url, { headers }))
}

/**
 * Clients that registered for refresh tokens but don't know that `offline_access` asks for one would bring the person
 * back every hour. The consent page says that the client stays connected.
 */
async function askToStayConnected(context: AccountsContext, asked: URLSearchParams): Promise<void> {
  const scopes = asked.get('scope')?.split(' ')
  if (!scopes || scopes.includes('offline_access')) return
  const found = await context.pool.query(
    `SELECT FROM oauth_clients WHERE client_id = $1 AND grant_types @> '["refresh_token"]'`,
    [asked.get('client_id')],
  )
  if (found.rowCount === 1) asked.set('scope', [...scopes, 'offline_access'].join(' '))
}

/** To the sign-in page, which brings the person back to the authorization endpoint. */
function signIn(context: AccountsContext, asked: URLSearchParams): Response {
  const again = new URLSearchParams()
  for (const [name, value] of asked) if (authorizeParameters.has(name)) again.append(name, value)
  keepKnownPrompts(again)
  const returnTo = `${authorizePath}?${again}`
  return seeOther(`${context.options.signInPath ?? '/sign-in'}?return=${encodeURIComponent(returnTo)}`)
}

const authorizeParameters: ReadonlySet<string> = new Set([
  'response_type',
  'response_mode',
  'client_id',
  'redirect_uri',
  'scope',
  'state',
  'code_challenge',
  'code_challenge_method',
  'resource',
  'prompt',
])

/** This is no OpenID provider: of `prompt`, consent and none mean something here. */
function keepKnownPrompts(parameters: URLSearchParams): void {
  const prompt = parameters.get('prompt')
  if (prompt === null) return
  const kept = prompt.split(' ').filter((value) => value === 'consent' || value === 'none')
  parameters.delete('prompt')
  if (kept.length === 1) parameters.set('prompt', kept[0]!)
}

/** Tells the library of the resource; rows of it say nothing about who may have a token. */
async function storeResource(context: AccountsContext, resource: InstanceResource): Promise<void> {
  await context.pool.query(
    `INSERT INTO oauth_resources (identifier, name, allowed_scopes, disabled, policy_version)
     VALUES ($1, $2, $3, false, 1) ON CONFLICT (identifier) DO NOTHING`,
    [resource.url, `${resource.serviceType} ${resource.instanceId}`, JSON.stringify(oauthScopes)],
  )
}

/** The token endpoint, with `resource` in our spelling. A DPoP proof is dropped: no instance checks one. */
async function token(context: AccountsContext, request: Request): Promise<Response> {
  const headers = new Headers(request.headers)
  headers.delete('dpop')
  // The endpoint is for programs that have a secret or a verifier; a cookie has no say in it.
  headers.delete('cookie')
  const form = new URLSearchParams(await request.text())
  const asked = form.getAll('resource')
  form.delete('resource')
  for (const one of asked)
    form.append('resource', parseInstanceResource(context.options.baseUrl, one)?.url ?? noResource)
  return context.library.handler(new Request(request.url, { method: 'POST', headers, body: form.toString() }))
}

/** RFC 8414, with what this package adds and without what the library could do and this installation doesn't: keys of clients, and bound tokens. */
export async function answerServerMetadata(context: AccountsContext, request: Request): Promise<Response> {
  const answer = await context.library.handler(request)
  if (answer.status !== 200 || request.method !== 'GET') return answer
  const metadata = (await answer.json()) as Record<string, unknown>
  const told = Object.entries(metadata).flatMap(([name, value]) => {
    if (/dpop|backchannel|auth_signing_alg/.test(name)) return []
    return [[name, Array.isArray(value) ? value.filter((one) => one !== 'private_key_jwt') : value]]
  })
  const headers = { 'access-control-allow-origin': '*', 'cache-control': 'public, max-age=300' }
  const documents = context.options.readClientDocument && { client_id_metadata_document_supported: true }
  return Response.json({ ...Object.fromEntries(told), ...documents }, { headers })
}
