import { hash, randomBytes } from 'node:crypto'

/** Random bytes of a secret. */
const secretBytes = 32
const prefixes = { bearer: 'cfi_', url: 'cfu_' } as const
export type SecretKind = keyof typeof prefixes

export interface MintedSecret {
  /** For its owner's eyes, once. */
  readonly secret: string
  /** SHA-256: what is stored. The secret is long and random, so a slow hash would add nothing. */
  readonly hash: Buffer
}

/** A new secret that opens an instance: `cfi_…` in a header, `cfu_…` in a URL. */
export function mintSecret(kind: SecretKind): MintedSecret {
  const secret = prefixes[kind] + randomBytes(secretBytes).toString('base64url')
  return { secret, hash: hash('sha256', secret, 'buffer') }
}

/** What may be one of our secrets, from its looks alone. Anything else is not worth a look-up. */
export function isSecretOf(kind: SecretKind, text: string): boolean {
  return text.length === 47 && text.startsWith(prefixes[kind]) && /^[A-Za-z0-9_-]+$/.test(text)
}
