// What one request knows of the user it is for.
import type { Service } from '@crossfade/catalog/catalog.ts'
import type { InstanceId, ServiceType, TokenId, UserId } from '@crossfade/model/platform-ids.ts'

/** What the caller showed: a bearer token, or the secret in an opt-in URL. Never kept beyond the look-up. */
export type PresentedSecret =
  | { readonly kind: 'bearer'; readonly secret: string }
  | { readonly kind: 'url'; readonly secret: string }

/** What a token may do with its instance. `read` leaves out tools that are not read-only. */
export type TokenScope = 'read' | 'call'

/** An instance opened by somebody who may. Cached per token; never shared by two users, whatever their upstream key is. */
export interface InstanceSession {
  readonly instanceId: InstanceId
  readonly userId: UserId
  readonly serviceType: ServiceType
  /** Null for a person who tries a tool from the console. */
  readonly tokenId: TokenId | null
  readonly scopes: ReadonlySet<TokenScope>
  readonly settings: InstanceSettings
  /** Grows with every replaced key: what was made with an older one is thrown away. */
  readonly credentialVersion: number
  /** The user's credential, decrypted; refreshed first when it is an OAuth token about to expire. Rejects with CF12xxx or CF11xxx. */
  credential(): Credential | Promise<Credential>
  /** Tells that the upstream refused the credential (401): an OAuth token is refreshed once at the next `credential()`. */
  credentialRefused(): void
}

/** The decrypted credential. Lives in the cache until its TTL, in nothing else. */
export type Credential =
  | { readonly kind: 'none' }
  | { readonly kind: 'api_key'; readonly apiKey: string; readonly additional: Readonly<Record<string, string>> }
  | {
      readonly kind: 'basic_auth'
      readonly username: string
      readonly password: string
      readonly additional: Readonly<Record<string, string>>
    }
  | { readonly kind: 'oauth2'; readonly accessToken: string }

/** What the user chose for the instance; stored as `config`, nothing of it secret. */
export interface InstanceSettings {
  /** Values of the base URL's `{variables}`. */
  readonly variables: Readonly<Record<string, string>>
  /** Tools that `tools/list` shows, in this order, instead of the service's own; null: the service's own. */
  readonly tools: readonly string[] | null
  /** Tools that can't be listed, found or called. */
  readonly excludedTools: readonly string[]
  /** Texts of the user's own for a tool. */
  readonly overrides: Readonly<Record<string, { readonly title?: string; readonly description?: string }>>
  /** Whether tools beyond the listed ones can be found and called. */
  readonly search: boolean
}

export const defaultSettings: InstanceSettings = {
  variables: {},
  tools: null,
  excludedTools: [],
  overrides: {},
  search: true,
}

/** Finds and opens instances; holds what it found in memory until it is told of a change or a TTL passes. */
export interface InstanceDirectory {
  /**
   * Opens an instance. Returns at once when the token was seen before, else a promise.
   * Throws or rejects with a failure of CF12xxx: unknown instance and wrong token are the same code, so that ids can't be probed.
   */
  open(
    instanceId: InstanceId,
    serviceType: ServiceType,
    presented: PresentedSecret,
  ): InstanceSession | Promise<InstanceSession>
  close(): Promise<void>
}

/** An open session together with the service it is for: what the runtime serves. */
export interface ServedInstance {
  readonly session: InstanceSession
  readonly service: Service
}
