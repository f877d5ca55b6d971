import type { Catalog, Service } from '@crossfade/catalog/catalog.ts'
import { asUser } from '@crossfade/mcp-database/as-user.ts'
import { audit } from '@crossfade/mcp-database/audit.ts'
import { Failure, fail } from '@crossfade/model/failure.ts'
import type { ServiceType } from '@crossfade/model/platform-ids.ts'
import type { Vault } from '@crossfade/vault/vault.ts'
import type pg from 'pg'
import { type CredentialInput, readCredential, readVariables } from './credential-input.ts'
import { readInstances } from './instance-record.ts'
import type { TokenWish } from './instance-tokens.ts'
import { type Acting, type StoredInstance, storeCredential } from './store-credential.ts'
import { type KeyVerdict, keyHash, rememberedVerdict, rememberVerdict, type VerifyKey } from './verify-once.ts'

export interface InstanceStores {
  /** Of the role crossfade_mcp_api. */
  readonly api: pg.Pool
  readonly vault: Vault
  /** The catalog of this moment. */
  readonly catalog: () => Catalog
  readonly verifyKey: VerifyKey
  /** Makes the hashes of tried keys this installation's own. Secret; the same on all workers. */
  readonly pepper: string
}

export interface ConnectWish extends CredentialInput {
  /** Store the credential although the upstream could not be asked. Nothing stores one that it refused. */
  readonly force?: boolean
  /** A further token, where the instance is there already. */
  readonly token?: TokenWish
}

export interface Connected extends StoredInstance {
  /** `unreachable`: stored by force. `unverifiable`: the upstream has nothing that tells. */
  readonly verification: Exclude<KeyVerdict['kind'], 'invalid'>
}

/**
 * Connects the user to a service, or replaces the credential of the instance that there is. Asks the upstream first: a key that it refuses is CF12010 and stored
 * nowhere; an upstream that says neither is CF12011, unless `force`. Also rejects with CF12012 (a field), CF12013 (no such service), CF12035 (too many wrong keys),
 * CF11xxx (the vault). Doing it again with the same key is fine. What is refused is audited too.
 */
export async function connect(
  stores: InstanceStores,
  acting: Acting,
  serviceType: ServiceType,
  wish: ConnectWish,
): Promise<Connected> {
  const service = stores.catalog().services.get(serviceType)
  if (!service) throw fail('CF12013', { service: serviceType })
  try {
    return await verifyAndStore(stores, acting, service, wish)
  } catch (error) {
    if (error instanceof Failure && error.code.startsWith('CF12') && error.code !== 'CF12501')
      await auditRefusal(stores.api, acting, 'instance.connect', serviceType, error)
    throw error
  }
}

/** Adds a refusal to the audit log, in a transaction of its own. Best effort: the refusal stands whatever becomes of it. */
export async function auditRefusal(
  api: pg.Pool,
  acting: Acting,
  action: string,
  subject: string,
  refusal: Failure,
): Promise<void> {
  const entry = { action, subject, details: { code: refusal.code }, outcome: 'refused' } as const
  const from = acting.sourceIp === undefined ? {} : { sourceIp: acting.sourceIp }
  await asUser(api, acting.proof, (client) => audit(client, { ...entry, ...from })).catch(() => undefined)
}

async function verifyAndStore(
  stores: InstanceStores,
  acting: Acting,
  service: Service,
  wish: ConnectWish,
): Promise<Connected> {
  const { config } = service
  const { serviceType } = config
  const credential = readCredential(config, wish)
  const known = await asUser(stores.api, acting.proof, async (client) => {
    const instance = (await readInstances(client, serviceType))[0]
    const variables = readVariables(config, wish.variables ?? {}, instance?.settings.variables)
    const hash = keyHash(stores.pepper, credential, variables)
    return { variables, hash, verdict: await rememberedVerdict(client, serviceType, hash) }
  })
  const verdict = known.verdict ?? (await stores.verifyKey(service, credential, known.variables))
  if (known.verdict === null)
    await asUser(stores.api, acting.proof, (client) => rememberVerdict(client, serviceType, known.hash, verdict))
  if (verdict.kind === 'invalid') throw fail('CF12010', { service: serviceType })
  if (verdict.kind === 'unreachable' && wish.force !== true)
    throw fail('CF12011', { service: serviceType, reason: verdict.reason })
  const stored = await storeCredential(stores, acting, {
    serviceType,
    credential,
    accountLabel: verdict.kind === 'valid' ? verdict.accountLabel : null,
    verified: verdict.kind === 'valid',
    expiresAt: null,
    variables: config.variables === undefined ? null : known.variables,
    token: wish.token ?? 'first',
  })
  return { ...stored, verification: verdict.kind }
}
