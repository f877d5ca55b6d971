import type { ServiceType } from '@crossfade/model/platform-ids.ts'

/** What the administrator registers at the upstream. One per service: a code that was meant for one can't be brought to another (RFC 9700, section 4.4.2). */
export function redirectUri(baseUrl: string, serviceType: ServiceType): string {
  return `${baseUrl}/api/v1/oauth/callback/${serviceType}`
}
