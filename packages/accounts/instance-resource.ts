// The URL of an instance as an OAuth resource: what a client may ask a token for, in one spelling.
import type { InstanceId, ServiceType } from '@crossfade/model/platform-ids.ts'
import { parseInstanceId, parseServiceType } from '@crossfade/model/platform-ids.ts'

export interface InstanceResource {
  readonly instanceId: InstanceId
  readonly serviceType: ServiceType
  /** The one spelling that tokens carry: origin, `/{instance_id}/{service_type}/`, with the slash at the end. */
  readonly url: string
}

/** The URL of an instance below `baseUrl` (an origin, or an origin and a path). */
export function instanceUrl(baseUrl: string, instanceId: InstanceId, serviceType: ServiceType): string {
  return `${baseUrl.replace(/\/+$/, '')}/${instanceId}/${serviceType}/`
}

/**
 * `text` as the URL of an instance below `baseUrl`, or null. Takes the spelling with and without the last slash, and an
 * upper-case host (RFC 8707 and MCP clients differ in both); refuses query, fragment, user info and escapes in the path.
 * Says nothing about whether the instance exists.
 */
export function parseInstanceResource(baseUrl: string, text: string): InstanceResource | null {
  if (!URL.canParse(text)) return null
  const url = new URL(text)
  const base = new URL(baseUrl)
  const basePath = base.pathname.replace(/\/+$/, '')
  if (url.origin !== base.origin || url.username || url.password || text.includes('?') || text.includes('#'))
    return null
  if (!url.pathname.startsWith(`${basePath}/`)) return null
  const parts = url.pathname.slice(basePath.length + 1).split('/')
  if (parts.length === 3 && parts[2] === '') parts.pop()
  if (parts.length !== 2) return null
  const instanceId = parseInstanceId(parts[0]!)
  const serviceType = parseServiceType(parts[1]!)
  if (instanceId === null || serviceType === null) return null
  return { instanceId, serviceType, url: instanceUrl(baseUrl, instanceId, serviceType) }
}
