// The compiled path's door: which requests are so plainly valid that they can be answered without building a server. Whatever is not recognised here goes the SDK's own way, so
// the SDK decides on everything that is broken, unusual or new. Being too strict costs time; being too lenient would bend the protocol.
import type { IncomingHttpHeaders } from 'node:http'
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  classifyInboundRequest,
  isInitializeRequest,
  LOG_LEVEL_META_KEY,
  PROTOCOL_VERSION_META_KEY,
  RELATED_TASK_META_KEY,
  SUPPORTED_PROTOCOL_VERSIONS,
} from '@modelcontextprotocol/server'

/** The stateless revision. The SDK has no public name for it. */
export const modernRevision = '2026-07-28'

export type Era = 'modern' | 'legacy'
export type JsonObject = Readonly<Record<string, unknown>>

export type Recognised =
  | {
      readonly kind: 'request'
      readonly era: Era
      readonly method: 'tools/list' | 'tools/call' | 'server/discover' | 'initialize' | 'ping'
      readonly id: string | number
      readonly params: JsonObject | undefined
      readonly meta: JsonObject | undefined
    }
  | { readonly kind: 'notification'; readonly method: string; readonly params: JsonObject | undefined }

/** What the request plainly is, or null when the SDK must look at it. `body` is parsed JSON. Pure but for what it remembers of valid envelopes. */
export function recognise(body: unknown, headers: IncomingHttpHeaders): Recognised | null {
  if (!isObject(body)) return null
  for (const key in body) {
    if (key !== 'jsonrpc' && key !== 'id' && key !== 'method' && key !== 'params') return null
  }
  const { id, method } = body
  const params = body['params']
  if (body['jsonrpc'] !== '2.0' || typeof method !== 'string') return null
  if (params !== undefined && !isObject(params)) return null
  const meta = params?.['_meta']
  if (meta !== undefined && !isObject(meta)) return null
  if (id === undefined) return 'id' in body ? null : recogniseNotification(method, params, meta, headers)
  if (typeof id !== 'string' && !Number.isSafeInteger(id)) return null
  if (meta !== undefined && !isPlainMeta(meta)) return null
  const request = { kind: 'request', id: id as string | number, params, meta } as const
  if (meta !== undefined && PROTOCOL_VERSION_META_KEY in meta) {
    return isModern(method, params!, meta, headers, body) ? { ...request, era: 'modern', method } : null
  }
  return isLegacy(method, params, headers, body) ? { ...request, era: 'legacy', method } : null
}

function isModern(
  method: string,
  params: JsonObject,
  meta: JsonObject,
  headers: IncomingHttpHeaders,
  body: JsonObject,
): method is 'tools/list' | 'tools/call' | 'server/discover' {
  if (meta[PROTOCOL_VERSION_META_KEY] !== modernRevision) return false
  if (headers['mcp-protocol-version'] !== modernRevision || headers['mcp-method'] !== method) return false
  switch (method) {
    case 'tools/call':
      if (headers['mcp-name'] !== params['name'] || !isCall(params)) return false
      break
    case 'tools/list':
      if (!isCursor(params['cursor'])) return false
      break
    case 'server/discover':
      break
    default:
      return false
  }
  return isKnownEnvelope(meta, body)
}

function isLegacy(
  method: string,
  params: JsonObject | undefined,
  headers: IncomingHttpHeaders,
  body: JsonObject,
): method is 'tools/list' | 'tools/call' | 'initialize' | 'ping' {
  if (!isLegacyPost(headers)) return false
  switch (method) {
    case 'tools/call':
      return params !== undefined && !('task' in params) && isCall(params)
    case 'tools/list':
      return params === undefined || isCursor(params['cursor'])
    case 'ping':
      return true
    case 'initialize':
      return isInitializeRequest(body)
    default:
      return false
  }
}

/** Notifications of the stateful revisions that need no server to be taken. */
const plainNotifications: ReadonlySet<string> = new Set([
  'notifications/initialized',
  'notifications/cancelled',
  'notifications/progress',
  'notifications/roots/list_changed',
])

function recogniseNotification(
  method: string,
  params: JsonObject | undefined,
  meta: JsonObject | undefined,
  headers: IncomingHttpHeaders,
): Recognised | null {
  if (meta !== undefined || !plainNotifications.has(method) || !isLegacyPost(headers)) return null
  return { kind: 'notification', method, params }
}

const legacyVersions: ReadonlySet<string> = new Set(SUPPORTED_PROTOCOL_VERSIONS)

/** What the SDK's transport of the stateful revisions asks of every POST. */
function isLegacyPost(headers: IncomingHttpHeaders): boolean {
  if (!acceptsBoth(headers)) return false
  const version = headers['mcp-protocol-version']
  return version === undefined || (typeof version === 'string' && legacyVersions.has(version))
}

/** Whether the client takes both forms of an answer, as the stateful revisions ask. */
export function acceptsBoth({ accept }: IncomingHttpHeaders): boolean {
  return accept?.includes('application/json') === true && accept.includes('text/event-stream')
}

/** A first round, with a name that the base64 form of `Mcp-Name` can't be mistaken for, and arguments that are an object or absent. */
function isCall(params: JsonObject): boolean {
  if ('inputResponses' in params || 'requestState' in params) return false
  const { name, arguments: given } = params
  return typeof name === 'string' && !name.startsWith('=?') && (given === undefined || isObject(given))
}

function isCursor(cursor: unknown): boolean {
  return cursor === undefined || typeof cursor === 'string'
}

function isPlainMeta(meta: JsonObject): boolean {
  const token = meta['progressToken']
  if (token !== undefined && typeof token !== 'string' && !Number.isSafeInteger(token)) return false
  return !(RELATED_TASK_META_KEY in meta) && !(LOG_LEVEL_META_KEY in meta)
}

/** Clients send the same envelope with every request, so it is validated by the SDK once. */
const knownEnvelopes = new Set<string>()
const knownEnvelopesMax = 1_000
const knownEnvelopeCharactersMax = 4_000

function isKnownEnvelope(meta: JsonObject, body: JsonObject): boolean {
  if (meta[CLIENT_INFO_META_KEY] === null) return false
  const key = JSON.stringify([meta[CLIENT_INFO_META_KEY], meta[CLIENT_CAPABILITIES_META_KEY]])
  if (knownEnvelopes.has(key)) return true
  if (classifyInboundRequest({ httpMethod: 'POST', body }).kind !== 'modern') return false
  if (key.length <= knownEnvelopeCharactersMax) {
    if (knownEnvelopes.size >= knownEnvelopesMax) knownEnvelopes.clear()
    knownEnvelopes.add(key)
  }
  return true
}

export function isObject(value: unknown): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}
