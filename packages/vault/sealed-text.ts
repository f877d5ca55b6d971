// A secret as it is stored: AES-256-GCM (NIST SP 800-38D) under a user's data key, bound to the instance that it belongs to.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { fail } from '@crossfade/model/failure.ts'
import type { SealedText, SecretOwner } from './vault.ts'

const version = 'v1'
const cipher = 'aes-256-gcm'
/** 96 bits, random: the length that GCM is made for. */
export const ivBytes = 12
export const tagBytes = 16
export const dataKeyBytes = 32
/** Keys and tokens are short; a service account's file is a few KB. */
export const secretBytesMax = 64 * 1024

const sealedPattern = /^v1\.([A-Za-z0-9_-]{8,64})\.([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]*)$/

/** The parts of a sealed text. */
export interface SealedParts {
  readonly dataKeyId: string
  readonly iv: Buffer
  readonly tag: Buffer
  readonly ciphertext: Buffer
}

/** Encrypts `secret` for its owner. Throws CF11012 when it is too long or no Unicode text. */
export function sealUnder(dataKeyId: string, dataKey: Buffer, owner: SecretOwner, secret: string): SealedText {
  const plain = Buffer.from(secret, 'utf8')
  try {
    // A lone surrogate would come back as another character.
    if (!secret.isWellFormed()) throw fail('CF11012', { reason: 'it is no valid Unicode text' })
    if (plain.length > secretBytesMax) throw fail('CF11012', { reason: `it is longer than ${secretBytesMax} bytes` })
    const iv = randomBytes(ivBytes)
    const encryption = createCipheriv(cipher, dataKey, iv, { authTagLength: tagBytes })
    encryption.setAAD(associatedData(dataKeyId, owner))
    const ciphertext = Buffer.concat([encryption.update(plain), encryption.final()])
    const parts = [iv, encryption.getAuthTag(), ciphertext].map((part) => part.toString('base64url'))
    return `${version}.${dataKeyId}.${parts.join('.')}` as SealedText
  } finally {
    plain.fill(0)
  }
}

/** Decrypts. Throws CF11002 when anything of text, key or owner is not what it was sealed with. */
export function openUnder(dataKey: Buffer, owner: SecretOwner, parts: SealedParts): string {
  let plain: Buffer | undefined
  try {
    const decryption = createDecipheriv(cipher, dataKey, parts.iv, { authTagLength: tagBytes })
    decryption.setAAD(associatedData(parts.dataKeyId, owner))
    decryption.setAuthTag(parts.tag)
    plain = decryption.update(parts.ciphertext)
    decryption.final()
    return plain.toString('utf8')
  } catch {
    // Without the cause: nothing that was decrypted, or tried, goes on.
    throw fail('CF11002', { instanceId: owner.instanceId })
  } finally {
    plain?.fill(0)
  }
}

/** Takes a sealed text apart. Throws CF11001 when it is none, also when a part has a second spelling of the same bytes. */
export function parseSealed(sealed: string): SealedParts {
  const match = sealedPattern.exec(sealed)
  if (!match) throw fail('CF11001')
  const iv = Buffer.from(match[2]!, 'base64url')
  const tag = decodeExactly(match[3]!)
  const ciphertext = decodeExactly(match[4]!)
  return { dataKeyId: match[1]!, iv, tag, ciphertext }
}

/** The last character of base64 may carry bits that belong to no byte: only zeros are taken there. */
function decodeExactly(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.toString('base64url') !== text) throw fail('CF11001')
  return bytes
}

/** What the tag also covers. JSON of an array of strings has one spelling, and no two owners share it. */
function associatedData(dataKeyId: string, owner: SecretOwner): Buffer {
  return Buffer.from(
    JSON.stringify(['crossfade secret', version, dataKeyId, owner.userId, owner.instanceId, owner.serviceType]),
    'utf8',
  )
}
