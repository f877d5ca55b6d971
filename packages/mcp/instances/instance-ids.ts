import { hash } from 'node:crypto'
import type { InstanceId, ServiceType, UserId } from '@crossfade/model/platform-ids.ts'

/** How long the digest at the end of an id can be: six characters, and more only where that id is taken. */
export const digestLengths = [6, 8, 12, 16, 24, 32] as const
export type DigestLength = (typeof digestLengths)[number]

/**
 * The id of a user's instance of a service: `fig_user_1a2b3c4d_9f8e7d`. Its parts are the first three characters of the service, the first eight of the user's
 * UUID, and `length` characters of a digest over both. The same for the same user and service, so that an address outlives deleting and connecting again; a name
 * and no credential, so it need not be hard to guess.
 */
export function formInstanceId(serviceType: ServiceType, userId: UserId, length: DigestLength = 6): InstanceId {
  const service = serviceType
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, '-')
    .slice(0, 3)
  const user = userId.replaceAll('-', '').slice(0, 8).toLowerCase()
  return `${service}_user_${user}_${hash('sha256', `${userId}/${serviceType}`).slice(0, length)}` as InstanceId
}
