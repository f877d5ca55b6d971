// What is stored, as the API tells of it.
import type { Service, Tool } from '@crossfade/catalog/catalog.ts'
import type { InstanceRecord } from '@crossfade/mcp/instances/instance-record.ts'
import type { MintedToken as Minted, TokenRecord } from '@crossfade/mcp/instances/instance-tokens.ts'
import type { InstanceSettings } from '@crossfade/mcp/instances/session.ts'
import { fail } from '@crossfade/model/failure.ts'
import { parseServiceType } from '@crossfade/model/platform-ids.ts'
import type { ApiOptions, Asking } from '../api-parts.ts'
import type { Instance, MintedToken, Token } from '../contract/instances.ts'
import type { Health, ServiceSummary, ToolSummary } from '../contract/services.ts'
import { snippetsFor } from '../snippets.ts'
import { unknownHealth } from './health-of.ts'

/** Whether somebody may know of a service: it is for everybody, or theirs. */
export function isFor({ config }: Service, asking: Asking): boolean {
  return config.owner === undefined || config.owner === asking.userId
}

/** The service that a path names, if it is for who asks. Throws CF12013, the same for another's and for none. */
export function needService({ catalog }: Pick<ApiOptions, 'catalog'>, name: string, asking: Asking | null): Service {
  const type = parseServiceType(name)
  const service = type === null ? undefined : catalog().services.get(type)
  if (!service || asking === null || !isFor(service, asking)) throw fail('CF12013', { service: name.slice(0, 60) })
  return service
}

export function instanceAnswer(
  { baseUrl, catalog }: Pick<ApiOptions, 'baseUrl' | 'catalog'>,
  record: InstanceRecord,
  health: ReadonlyMap<string, Health>,
): Instance {
  const config = catalog().services.get(record.serviceType)?.config
  return {
    instanceId: record.instanceId,
    serviceType: record.serviceType,
    displayName: config?.displayName ?? record.serviceType,
    category: config?.category ?? 'utilities',
    url: urlOf(baseUrl, record),
    // A legacy platform's credential can't be opened here: its user has to enter it again.
    state: record.state === 'active' && record.credentialKind === 'legacy' ? 'needs_authorization' : record.state,
    credential: {
      kind: kindOf(record.credentialKind),
      version: record.credentialVersion,
      accountLabel: record.accountLabel,
      verified: record.verified,
      expiresAt: record.accessExpiresAt?.toISOString() ?? null,
    },
    settings: settingsAnswer(record.settings),
    health: health.get(record.serviceType) ?? unknownHealth,
    tokens: record.tokens,
    createdAt: record.createdAt.toISOString(),
    updatedAt: record.updatedAt.toISOString(),
    lastUsedAt: record.lastUsedAt?.toISOString() ?? null,
    usageCount: record.usageCount,
  }
}

export function tokenAnswer(record: TokenRecord): Token {
  return {
    id: record.id,
    kind: record.kind,
    name: record.name,
    scopes: [...record.scopes],
    createdAt: record.createdAt.toISOString(),
    expiresAt: record.expiresAt?.toISOString() ?? null,
    revokedAt: record.revokedAt?.toISOString() ?? null,
    lastUsedAt: record.lastUsedAt?.toISOString() ?? null,
  }
}

/** The one answer that holds a token's secret. */
export function mintedAnswer(
  { baseUrl }: Pick<ApiOptions, 'baseUrl'>,
  record: Pick<InstanceRecord, 'instanceId' | 'serviceType'>,
  minted: Minted,
): MintedToken {
  const inUrl = minted.record.kind === 'url'
  const url = inUrl ? `${urlOf(baseUrl, record)}${minted.secret}/` : urlOf(baseUrl, record)
  const token = inUrl ? null : minted.secret
  return {
    token: tokenAnswer(minted.record),
    secret: minted.secret,
    url,
    snippets: snippetsFor({ serviceType: record.serviceType, url, token }),
  }
}

/** Address of an instance: what clients connect to. */
export function urlOf(baseUrl: string, record: Pick<InstanceRecord, 'instanceId' | 'serviceType'>): string {
  return `${baseUrl}/${record.instanceId}/${record.serviceType}/`
}

export function serviceAnswer(
  service: Service,
  health: ReadonlyMap<string, Health>,
  instances: ReadonlyMap<string, InstanceRecord>,
): ServiceSummary {
  const { config } = service
  return {
    serviceType: config.serviceType,
    displayName: config.displayName,
    category: config.category,
    description: config.description,
    docsUrl: config.docsUrl,
    port: config.port,
    auth: config.auth.type,
    listedTools: service.listed.length,
    operations: service.operationCount,
    health: health.get(config.serviceType) ?? unknownHealth,
    instanceId: instances.get(config.serviceType)?.instanceId ?? null,
  }
}

/** A tool as the caller sees it: with the settings of its instance, if there is one. */
export function toolAnswer(
  tool: Pick<Tool, 'name' | 'description'> & Partial<Tool>,
  service: Service,
  settings: InstanceSettings | null,
): ToolSummary {
  const own = settings?.overrides[tool.name]
  const excluded = settings?.excludedTools.includes(tool.name) ?? false
  const listed = settings?.tools?.includes(tool.name) ?? service.listed.some(({ name }) => name === tool.name)
  return {
    name: tool.name,
    title: own?.title ?? tool.title ?? null,
    description: own?.description ?? tool.description,
    listed: listed && !excluded,
    excluded,
    readOnly: tool.annotations?.readOnlyHint ?? null,
    destructive: tool.annotations?.destructiveHint ?? null,
  }
}

function settingsAnswer(settings: InstanceSettings): Instance['settings'] {
  return {
    variables: { ...settings.variables },
    tools: settings.tools && [...settings.tools],
    excludedTools: [...settings.excludedTools],
    overrides: { ...settings.overrides },
    search: settings.search,
  }
}

function kindOf(kind: string): Instance['credential']['kind'] {
  return kind === 'none' || kind === 'basic_auth' || kind === 'oauth2' ? kind : 'api_key'
}
