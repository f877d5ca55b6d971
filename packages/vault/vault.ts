// The contract of the vault; `open-vault.ts` makes one.
import type { InstanceId, ServiceType, UserId } from '@crossfade/model/platform-ids.ts'

/** Whose secret it is. All three are authenticated with the ciphertext: moved to another row it does not open. */
export interface SecretOwner {
  readonly userId: UserId
  readonly instanceId: InstanceId
  readonly serviceType: ServiceType
}

/** `v1.<data key id>.<iv>.<tag>.<ciphertext>`, base64url parts. */
export type SealedText = string & { readonly __sealed: never }

export interface Vault {
  /** Encrypts under the owner's data key, made at first use. Rejects with CF11xxx when the key-encryption key is not at hand. */
  seal(owner: SecretOwner, secret: string): Promise<SealedText>
  /** Decrypts. Synchronous when the data key is in the cache. Throws or rejects with CF11xxx when it was changed, moved, or its key is unknown. */
  open(owner: SecretOwner, sealed: SealedText): string | Promise<string>
  /** Forgets data keys that are in memory, overwriting them. */
  close(): void
}

/** Wraps data keys. The key itself never leaves it. */
export interface KeyEncryptionKey {
  /** Stands in front of every wrapped key, so that keys of several generations can be open at once. */
  readonly id: string
  wrap(dataKey: Buffer, associated: Buffer): Promise<Buffer>
  unwrap(wrapped: Buffer, associated: Buffer): Promise<Buffer>
}
