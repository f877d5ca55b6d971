import type { Brand } from './brand.ts'

/** A service of the catalog: `github`, `google-drive`. Lower-case letters, digits, `-` and `_`, beginning with a letter, at most 50. */
export type ServiceType = Brand<string, 'ServiceType'>
/** One user's use of one service, as it stands in a URL: `fig_user_1a2b3c4d_9f8e7d`. A name, never a credential. */
export type InstanceId = Brand<string, 'InstanceId'>
/** A person with an account: a UUID in lower case. */
export type UserId = Brand<string, 'UserId'>
/** A secret that opens one instance, or the row that stands for it: a UUID. */
export type TokenId = Brand<string, 'TokenId'>

const serviceTypePattern = /^[a-z][a-z0-9_-]{1,49}$/
const instanceIdPattern = /^[a-z0-9-]{1,3}_user_[0-9a-f]{8}_[0-9a-f]{6,32}$/
const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** `text` as a service type, or null when it cannot be one. Says nothing about whether the service exists. */
export function parseServiceType(text: string): ServiceType | null {
  return serviceTypePattern.test(text) ? (text as ServiceType) : null
}

/** `text` as an instance id, or null when it cannot be one. Says nothing about whether the instance exists. */
export function parseInstanceId(text: string): InstanceId | null {
  return instanceIdPattern.test(text) ? (text as InstanceId) : null
}

/** `text` as a user id, or null when it is no lower-case UUID. */
export function parseUserId(text: string): UserId | null {
  return uuidPattern.test(text) ? (text as UserId) : null
}

/** `text` as a token id, or null when it is no lower-case UUID. */
export function parseTokenId(text: string): TokenId | null {
  return uuidPattern.test(text) ? (text as TokenId) : null
}
