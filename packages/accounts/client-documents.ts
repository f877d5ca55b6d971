// Clients that are known by an address of their own: OAuth Client ID Metadata Documents, which MCP 2025-11-25 prefers to
// registration. The client id is an https URL, and the document there says what a registration would.
import type { AccountsContext } from './accounts-context.ts'
import type { AccountsOptions } from './accounts-options.ts'
import { isRedirectUri, redirectUrisMax } from './client-registration.ts'
import { oauthScopes } from './oauth-tokens.ts'

const documentBytesMax = 64 * 1024
const fetchMsMax = 5_000
const addressCharactersMax = 500
/** A document is read again when it is asked for after this long. */
const documentHours = 1
/** Documents that are read at once; more are refused. */
const readingMax = 4

let reading = 0

/** Whether a client id is the address of a document. Registered ids are letters. */
export function isDocumentAddress(clientId: string): boolean {
  return /^https?:\/\//i.test(clientId)
}

/**
 * Makes the library know the client of a document: reads it when it is new or old. Nothing happens for a document that
 * can't be read or is not right: the client stays unknown, or as it was for the hour.
 */
export async function learnClient(context: AccountsContext, clientId: string): Promise<void> {
  const { readClientDocument } = context.options
  if (!readClientDocument || !isAddress(clientId, context.options)) return
  const known = await context.pool.query(
    `SELECT FROM oauth_clients WHERE client_id = $1 AND updated_at > now() - $2 * interval '1 hour'`,
    [clientId, documentHours],
  )
  if (known.rowCount === 1 || reading >= readingMax) return
  reading += 1
  try {
    const client = toClient(clientId, await readDocument(readClientDocument, clientId))
    await (client ? storeClient(context, clientId, client) : forgetClient(context, clientId))
  } catch {
    await forgetClient(context, clientId)
  } finally {
    reading -= 1
  }
}

/**
 * Whether a person must be asked each time: the document proves whose the address is, but any program on a machine can
 * answer at its loopback address, or for its scheme, in the client's name.
 */
export function mustAskAgain(clientId: string, redirectUri: string): boolean {
  return isDocumentAddress(clientId) && !redirectUri.startsWith('https:')
}

interface DocumentClient {
  readonly name: string | null
  readonly uri: string | null
  readonly redirectUris: readonly string[]
  readonly grantTypes: readonly string[]
}

/** An https URL with a path, without query, fragment, user info or dot segments; http where the operator tries things out. */
function isAddress(clientId: string, options: AccountsOptions): boolean {
  if (clientId.length > addressCharactersMax || !URL.canParse(clientId)) return false
  const url = new URL(clientId)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && options.clientDocumentsByHttp)) return false
  return url.pathname !== '/' && url.href === clientId && !url.search && !url.hash && !url.username && !url.password
}

async function readDocument(
  read: NonNullable<AccountsOptions['readClientDocument']>,
  clientId: string,
): Promise<unknown> {
  const answer = await read(new URL(clientId), AbortSignal.timeout(fetchMsMax))
  const isJson = /^application\/([\w.+-]+\+)?json\s*(;|$)/i.test(answer.headers.get('content-type') ?? '')
  if (answer.status !== 200 || !isJson) {
    await answer.body?.cancel()
    return null
  }
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of answer.body ?? []) {
    bytes += part.byteLength
    if (bytes > documentBytesMax) return null
    parts.push(part)
  }
  return JSON.parse(Buffer.concat(parts).toString('utf8'))
}

/** What a document says, or null: it must name its own address, and be a client without a secret. */
function toClient(clientId: string, document: unknown): DocumentClient | null {
  if (document === null || typeof document !== 'object') return null
  const said = document as Record<string, unknown>
  const method = said['token_endpoint_auth_method'] ?? 'none'
  const uris = said['redirect_uris']
  if (said['client_id'] !== clientId || method !== 'none' || said['client_secret'] !== undefined) return null
  if (!Array.isArray(uris) || uris.length === 0 || uris.length > redirectUrisMax || !uris.every(isRedirectUri))
    return null
  const grants = Array.isArray(said['grant_types']) ? said['grant_types'] : ['authorization_code', 'refresh_token']
  const grantTypes = ['authorization_code', 'refresh_token'].filter((grant) => grants.includes(grant))
  if (!grantTypes.includes('authorization_code')) return null
  return { name: shortText(said['client_name']), uri: shortText(said['client_uri']), redirectUris: uris, grantTypes }
}

function shortText(value: unknown): string | null {
  return typeof value === 'string' && value.length <= addressCharactersMax ? value : null
}

async function storeClient(context: AccountsContext, clientId: string, client: DocumentClient): Promise<void> {
  await context.pool.query(
    `INSERT INTO oauth_clients (client_id, name, uri, redirect_uris, grant_types, response_types, scopes,
       token_endpoint_auth_method, application_type, require_pkce, disabled, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, '["code"]', $6, 'none', 'native', true, false, now(), now())
     ON CONFLICT (client_id) DO UPDATE SET name = excluded.name, uri = excluded.uri,
       redirect_uris = excluded.redirect_uris, grant_types = excluded.grant_types, updated_at = now()`,
    [
      clientId,
      client.name,
      client.uri,
      JSON.stringify(client.redirectUris),
      JSON.stringify(client.grantTypes),
      JSON.stringify(oauthScopes),
    ],
  )
}

/** A document that went or became wrong lets nobody in anew; who was let in stays until the tokens end. */
async function forgetClient(context: AccountsContext, clientId: string): Promise<void> {
  await context.pool.query(`UPDATE oauth_clients SET redirect_uris = '[]' WHERE client_id = $1`, [clientId])
}
