import { type InstanceId, parseInstanceId, parseServiceType, type ServiceType } from '@crossfade/model/platform-ids.ts'

/** Where a request to an instance goes. */
export interface InstancePath {
  readonly instanceId: InstanceId
  readonly serviceType: ServiceType
  /** The secret of an opt-in URL, `/{instance_id}/{service_type}/{secret}/`; null for everybody else. */
  readonly urlSecret: string | null
}

const urlSecretPattern = /^cfu_[A-Za-z0-9_-]{20,100}$/
const pathCharactersMax = 300

/**
 * Reads `/{instance_id}/{service_type}/`, with or without the last slash, and with the secret of an opt-in URL behind it. `fixedService` is the service of a
 * static port, where `/{instance_id}/` is enough. Null for every other path; nothing is decoded, so there is one way to write each path.
 */
export function parseInstancePath(url: string, fixedService: ServiceType | null = null): InstancePath | null {
  if (url.length > pathCharactersMax) return null
  const question = url.indexOf('?')
  const parts = (question === -1 ? url : url.slice(0, question)).split('/')
  if (parts[0] !== '') return null
  if (parts.at(-1) === '') parts.pop()
  const instanceId = parseInstanceId(parts[1] ?? '')
  if (instanceId === null) return null
  if (fixedService !== null && parts.length === 2) return { instanceId, serviceType: fixedService, urlSecret: null }
  const serviceType = parseServiceType(parts[2] ?? '')
  if (serviceType === null || (fixedService !== null && serviceType !== fixedService)) return null
  if (parts.length === 3) return { instanceId, serviceType, urlSecret: null }
  const secret = parts[3]!
  if (parts.length !== 4 || !urlSecretPattern.test(secret)) return null
  return { instanceId, serviceType, urlSecret: secret }
}

/** A path as it may be logged: without the secret of an opt-in URL, and without a query. */
export function redactPath(url: string): string {
  return url
    .slice(0, pathCharactersMax)
    .split('?')[0]!
    .replace(/cf[ipu]_[A-Za-z0-9_-]*/g, 'redacted')
}
