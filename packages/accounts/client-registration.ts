// Dynamic client registration (RFC 7591) by anybody: what MCP clients send, made into what the library takes.
import type { AccountsContext } from './accounts-context.ts'
import { answerJson } from './http-answers.ts'

/** What a client may not register: it would make the server fetch addresses of the client's choice, or promise what no instance checks. */
const refusedFields = ['jwks_uri', 'jwks', 'backchannel_logout_uri', 'software_statement', 'resources'] as const
export const redirectUrisMax = 10
const redirectCharactersMax = 2_000

/**
 * Schemes of programs that MCP is used from. RFC 8252 wants reverse domain names, and the library insists, but these
 * programs came before. Other schemes of that kind are refused: who opens them is anybody's guess.
 */
const programSchemes: ReadonlySet<string> = new Set([
  'cursor:',
  'raycast:',
  'vscode:',
  'vscode-insiders:',
  'vscodium:',
  'warp:',
  'windsurf:',
])

/** Registers a client with no credential of a person; the answer is RFC 7591's. */
export async function registerClient(context: AccountsContext, request: Request): Promise<Response> {
  let asked: Record<string, unknown>
  try {
    asked = JSON.parse(await request.text()) as Record<string, unknown>
  } catch {
    return refuse('The body is no JSON.')
  }
  if (asked === null || typeof asked !== 'object' || Array.isArray(asked)) return refuse('The body is no JSON object.')
  const refused = refusedFields.find((name) => asked[name] !== undefined)
  if (refused) return refuse(`${refused} is not supported here.`)
  if (asked['dpop_bound_access_tokens'] === true) return refuse('dpop_bound_access_tokens is not supported here.')
  const uris = asked['redirect_uris']
  if (!Array.isArray(uris) || uris.length === 0 || uris.length > redirectUrisMax || !uris.every(isShortText)) {
    return refuse(`redirect_uris must be 1 to ${redirectUrisMax} addresses.`, 'invalid_redirect_uri')
  }
  return register(context, request, asked, uris)
}

async function register(
  context: AccountsContext,
  request: Request,
  asked: Record<string, unknown>,
  uris: readonly string[],
): Promise<Response> {
  const headers = new Headers(request.headers)
  for (const name of ['cookie', 'authorization']) headers.delete(name)
  // MCP clients seldom say that they are native, which is what may use loopback addresses and schemes of its own.
  const native = uris.some((uri) => !uri.startsWith('https:'))
  const metadata = {
    ...(native && { application_type: 'native' }),
    ...asked,
    redirect_uris: uris.map((uri, at) => (isProgramUri(uri) ? standIn(at) : uri)),
  }
  const answer = await context.library.handler(
    new Request(request.url, { method: 'POST', headers, body: JSON.stringify(metadata) }),
  )
  if (!answer.ok || !uris.some(isProgramUri)) return answer
  const client = (await answer.json()) as { client_id: string; redirect_uris: string[] }
  // The library compares redirect URIs as text: what is stored is what is let through.
  await context.pool.query('UPDATE oauth_clients SET redirect_uris = $2 WHERE client_id = $1', [
    client.client_id,
    JSON.stringify(uris),
  ])
  return answerJson(answer.status, { ...client, redirect_uris: uris })
}

function refuse(description: string, error = 'invalid_client_metadata'): Response {
  return answerJson(400, { error, error_description: description })
}

function isShortText(uri: unknown): uri is string {
  return typeof uri === 'string' && uri.length <= redirectCharactersMax
}

function isProgramUri(uri: string): boolean {
  if (!URL.canParse(uri) || uri.includes('#')) return false
  const url = new URL(uri)
  return programSchemes.has(url.protocol) && !url.username && !url.password
}

/**
 * Whether a browser may be sent there with a code: https, a program on the same machine, or a program by its scheme.
 * The library judges what is registered by the same rules, and takes reverse-domain schemes besides.
 */
export function isRedirectUri(uri: unknown): uri is string {
  if (!isShortText(uri) || !URL.canParse(uri) || uri.includes('#')) return false
  const url = new URL(uri)
  if (url.username || url.password) return false
  if (url.protocol === 'https:') return true
  if (url.protocol === 'http:') return ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)
  return programSchemes.has(url.protocol)
}

/** An address of the form that the library takes; it is in the database until the next statement. */
function standIn(at: number): string {
  return `com.crossfade.stand-in:/${at}`
}
