import type { Service } from '@crossfade/catalog/catalog.ts'
import {
  type CacheHint,
  type Implementation,
  SERVER_INFO_META_KEY,
  type ServerCapabilities,
} from '@modelcontextprotocol/server'
import { compileResult } from './answers.ts'
import { type Era, modernRevision } from './recognise.ts'

/** How long clients may use a list without asking again, unless they listen and are told of a change. */
const listTtlMs = 30_000
/** Lists depend on the instance's settings and the token's scope, so no shared cache may keep them. */
export const listCacheHint = { ttlMs: listTtlMs, cacheScope: 'private' } as const satisfies CacheHint

/** What a service says of itself. Compiled once per service. */
export interface ServiceIdentity {
  readonly serverInfo: Implementation
  readonly resultMeta: Readonly<Record<string, unknown>>
  readonly instructions: string
  readonly capabilities: Readonly<Record<Era, ServerCapabilities>>
  /** Responses but for the id: `server/discover`, and `initialize` by the version that was agreed on. */
  readonly discover: string
  initialize(version: string): string
}

export function compileIdentity(
  service: Service,
  platformVersion: string,
  more: ServerCapabilities = {},
): ServiceIdentity {
  const { config } = service
  const serverInfo: Implementation = {
    name: config.serviceType,
    title: config.displayName,
    version: platformVersion,
    websiteUrl: config.docsUrl,
  }
  const resultMeta = { [SERVER_INFO_META_KEY]: serverInfo }
  const instructions = instructionsOf(service)
  const capabilities = {
    modern: { tools: { listChanged: true }, resources: { listChanged: false }, ...more },
    // Without a session there is no stream that a change could be told on.
    legacy: { tools: { listChanged: false }, resources: { listChanged: false }, ...more },
  }
  const initialized = new Map<string, string>()
  return {
    serverInfo,
    resultMeta,
    instructions,
    capabilities,
    discover: compileResult({
      supportedVersions: [modernRevision],
      capabilities: capabilities.modern,
      instructions,
      resultType: 'complete',
      ...listCacheHint,
      _meta: resultMeta,
    }),
    initialize(version) {
      let compiled = initialized.get(version)
      if (compiled === undefined) {
        compiled = compileResult({
          protocolVersion: version,
          capabilities: capabilities.legacy,
          serverInfo,
          instructions,
        })
        initialized.set(version, compiled)
      }
      return compiled
    },
  }
}

function instructionsOf(service: Service): string {
  const { config, listed, operationCount } = service
  const more =
    operationCount > listed.length
      ? ` It has ${operationCount} operations; those that are not listed as tools are found with search_operations and called with call_operation.`
      : ''
  return `${config.displayName}: ${config.description}${more}`
}
