// A credential as it is stored: sealed, part by part.
import { fail } from '@crossfade/model/failure.ts'
import type { SealedText, SecretOwner, Vault } from '@crossfade/vault/vault.ts'
import type { Credential } from './session.ts'

/** The columns `credential_kind`, `encrypted_api_key` and `encrypted_additional_credentials`. */
export interface StoredCredential {
  readonly kind: string
  readonly main: string
  readonly additional: Readonly<Record<string, string>>
}

/** A credential about to be stored; an OAuth one with what renews it. */
export type NewCredential = Credential & { readonly refreshToken?: string }

/** Names that a service's further credentials can't have: basic_auth and OAuth keep parts of theirs beside them. */
export const usernameName = 'username'
export const refreshTokenName = 'refresh_token'
/** In front of the names of a service's further credentials, so that none of them collides with the two above. */
const furtherPrefix = '+'

/** Seals every part for its owner. Rejects with CF11xxx when the vault can't. */
export async function sealCredential(
  vault: Vault,
  owner: SecretOwner,
  credential: NewCredential,
): Promise<StoredCredential> {
  const { main, beside } = partsOf(credential)
  if (main === null) return { kind: credential.kind, main: '', additional: {} }
  const additional: Record<string, string> = {}
  for (const [name, secret] of Object.entries(beside)) additional[name] = await vault.seal(owner, secret)
  return { kind: credential.kind, main: await vault.seal(owner, main), additional }
}

/**
 * Opens a stored credential; at once when the vault can. Throws or rejects with CF12005 when its kind is none that can be used, and with CF11xxx when it can't be
 * decrypted.
 */
export function openCredential(
  vault: Vault,
  owner: SecretOwner,
  stored: StoredCredential,
): Credential | Promise<Credential> {
  if (stored.kind === 'none') return noCredential
  if (stored.kind !== 'api_key' && stored.kind !== 'basic_auth' && stored.kind !== 'oauth2')
    throw fail('CF12005', { service: owner.serviceType, reason: 'it was stored by an older platform' })
  const kind = stored.kind
  // A refresh token is opened only to be used: see refresh.ts.
  const names = Object.keys(stored.additional).filter((name) => name !== refreshTokenName)
  const main = vault.open(owner, stored.main as SealedText)
  const beside = names.map((name) => vault.open(owner, stored.additional[name] as SealedText))
  if (typeof main === 'string' && beside.every((part) => typeof part === 'string'))
    return credentialOf(kind, main, names, beside as string[])
  return Promise.all([main, ...beside]).then(([opened, ...others]) => credentialOf(kind, opened!, names, others))
}

/** Opens the refresh token; null when there is none. */
export async function openRefreshToken(
  vault: Vault,
  owner: SecretOwner,
  stored: StoredCredential,
): Promise<string | null> {
  const sealed = stored.additional[refreshTokenName]
  return sealed === undefined ? null : await vault.open(owner, sealed as SealedText)
}

/** Whether both are the same secret. False when `stored` can't be opened: then it is to be replaced. */
export async function isSameCredential(
  vault: Vault,
  owner: SecretOwner,
  stored: StoredCredential,
  credential: NewCredential,
): Promise<boolean> {
  if (stored.kind !== credential.kind) return false
  try {
    const { refreshToken: _, ...compared } = credential
    return JSON.stringify(partsOf(await openCredential(vault, owner, stored))) === JSON.stringify(partsOf(compared))
  } catch {
    // Whatever the reason is, it tells nothing about the new one.
    return false
  }
}

const noCredential: Credential = { kind: 'none' }

function partsOf(credential: NewCredential): { main: string | null; beside: Record<string, string> } {
  switch (credential.kind) {
    case 'none':
      return { main: null, beside: {} }
    case 'api_key':
      return { main: credential.apiKey, beside: prefixed(credential.additional) }
    case 'basic_auth':
      return {
        main: credential.password,
        beside: { [usernameName]: credential.username, ...prefixed(credential.additional) },
      }
    case 'oauth2':
      return {
        main: credential.accessToken,
        beside: credential.refreshToken === undefined ? {} : { [refreshTokenName]: credential.refreshToken },
      }
  }
}

function prefixed(further: Readonly<Record<string, string>>): Record<string, string> {
  const sorted = Object.entries(further).sort(([one], [other]) => (one < other ? -1 : 1))
  return Object.fromEntries(sorted.map(([name, secret]) => [furtherPrefix + name, secret]))
}

function credentialOf(
  kind: 'api_key' | 'basic_auth' | 'oauth2',
  main: string,
  names: readonly string[],
  parts: readonly string[],
): Credential {
  if (kind === 'oauth2') return { kind, accessToken: main }
  const additional: Record<string, string> = {}
  let username = ''
  for (const [index, name] of names.entries()) {
    if (name.startsWith(furtherPrefix)) additional[name.slice(furtherPrefix.length)] = parts[index]!
    else if (name === usernameName) username = parts[index]!
  }
  return kind === 'api_key' ? { kind, apiKey: main, additional } : { kind, username, password: main, additional }
}
