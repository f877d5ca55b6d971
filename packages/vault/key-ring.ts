// The key-encryption keys that are at hand: one that wraps, and older ones that still unwrap.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { fail } from '@crossfade/model/failure.ts'
import { ivBytes, tagBytes } from './sealed-text.ts'
import type { KeyEncryptionKey } from './vault.ts'

export const keyEncryptionKeyBytes = 32
export const keyIdPattern = /^[A-Za-z0-9_.:/-]{1,200}$/
const format = 1
const cipher = 'aes-256-gcm'

export interface KeyRing {
  /** Wraps new data keys. */
  readonly current: KeyEncryptionKey
  /** Where the keys come from, for people: `the environment`, a file's path, `the KMS command`. */
  readonly origin: string
  /** The key of a generation, or undefined when it is not at hand. */
  find(id: string): KeyEncryptionKey | undefined
}

/** A ring of local keys, the current one first. */
export function localKeyRing(origin: string, keys: readonly { id: string; key: Buffer }[]): KeyRing {
  const all = new Map(keys.map(({ id, key }) => [id, localKey(id, key)]))
  return { current: all.get(keys[0]!.id)!, origin, find: (id) => all.get(id) }
}

/**
 * A key-encryption key in this process's memory: AES-256-GCM with a random IV, format 1 ‖ iv ‖ tag ‖ ciphertext. `unwrap` rejects with CF11005 when key, wrapped
 * bytes or associated bytes are not those of `wrap`. It wraps once for each data key, far from GCM's limit of 2^32 random IVs.
 */
export function localKey(id: string, key: Buffer): KeyEncryptionKey {
  return {
    id,
    async wrap(dataKey, associated) {
      const iv = randomBytes(ivBytes)
      const encryption = createCipheriv(cipher, key, iv, { authTagLength: tagBytes })
      encryption.setAAD(associated)
      const ciphertext = Buffer.concat([encryption.update(dataKey), encryption.final()])
      return Buffer.concat([Buffer.from([format]), iv, encryption.getAuthTag(), ciphertext])
    },
    async unwrap(wrapped, associated) {
      try {
        if (wrapped[0] !== format) throw fail('CF11005', { keyEncryptionKeyId: id })
        const iv = wrapped.subarray(1, 1 + ivBytes)
        const decryption = createDecipheriv(cipher, key, iv, { authTagLength: tagBytes })
        decryption.setAAD(associated)
        decryption.setAuthTag(wrapped.subarray(1 + ivBytes, 1 + ivBytes + tagBytes))
        const plain = decryption.update(wrapped.subarray(1 + ivBytes + tagBytes))
        decryption.final()
        return plain
      } catch {
        throw fail('CF11005', { keyEncryptionKeyId: id })
      }
    },
  }
}

/** What a wrapped data key is bound to. */
export function dataKeyAssociated(dataKeyId: string, userId: string): Buffer {
  return Buffer.from(JSON.stringify(['crossfade data key', 'v1', dataKeyId, userId]), 'utf8')
}
