import type { UserProof } from '@crossfade/mcp-database/as-user.ts'
import { asUser } from '@crossfade/mcp-database/as-user.ts'
import { audit } from '@crossfade/mcp-database/audit.ts'
import { fail } from '@crossfade/model/failure.ts'
import type { InstanceId, ServiceType, UserId } from '@crossfade/model/platform-ids.ts'
import type { Vault } from '@crossfade/vault/vault.ts'
import type pg from 'pg'
import { digestLengths, formInstanceId } from './instance-ids.ts'
import { type InstanceRecord, readInstances, readStoredCredential } from './instance-record.ts'
import { createToken, type MintedToken, type TokenWish } from './instance-tokens.ts'
import { isSameCredential, type NewCredential, type StoredCredential, sealCredential } from './sealed-credential.ts'

/** How often it is begun again when somebody else is doing the same, or the data key went meanwhile. */
const attemptsMax = 4

/** Who acts, and from where: what every change is done as, and audited with. */
export interface Acting {
  readonly proof: UserProof
  readonly sourceIp?: string
}

export interface CredentialToStore {
  readonly serviceType: ServiceType
  readonly credential: NewCredential
  readonly accountLabel: string | null
  /** Whether the upstream has said that it is right. */
  readonly verified: boolean
  /** Of an OAuth access token. */
  readonly expiresAt: Date | null
  /** Values of the base URL's variables; null leaves them as they are. */
  readonly variables: Readonly<Record<string, string>> | null
  /** `first`: a token for a new instance, none where there is one already. A wish: one in any case. Null: none. */
  readonly token: TokenWish | 'first' | null
}

export interface StoredInstance {
  readonly outcome: 'connected' | 'replaced' | 'unchanged'
  readonly record: InstanceRecord
  readonly minted: MintedToken | null
}

/**
 * Seals a credential and puts it where the user's instance of the service is; makes the instance when there is none. Replacing touches the
 * credential alone: id, address, tokens and settings stay (M07). The same credential again changes nothing. All or nothing; audited.
 */
export async function storeCredential(
  stores: { readonly api: pg.Pool; readonly vault: Vault },
  acting: Acting,
  wish: CredentialToStore,
): Promise<StoredInstance> {
  for (let attempt = 1; ; attempt += 1) {
    const before = await asUser(stores.api, acting.proof, async (client, userId) => ({
      userId,
      stored: await readStoredCredential(client, wish.serviceType),
    }))
    try {
      if (before.stored) return await replace(stores, acting, wish, before.userId, before.stored)
      return await connect(stores, acting, wish, before.userId)
    } catch (error) {
      if (attempt < attemptsMax && isOvertaken(error)) continue
      throw error instanceof Overtaken ? error.failure : error
    }
  }
}

type Stores = Parameters<typeof storeCredential>[0]
type Before = NonNullable<Awaited<ReturnType<typeof readStoredCredential>>>

async function connect(
  { api, vault }: Stores,
  acting: Acting,
  wish: CredentialToStore,
  userId: UserId,
): Promise<StoredInstance> {
  const { serviceType } = wish
  for (const length of digestLengths) {
    const instanceId = formInstanceId(serviceType, userId, length)
    const sealed = await sealCredential(vault, { userId, instanceId, serviceType }, wish.credential)
    try {
      return await asUser(api, acting.proof, async (client) => {
        await insert(client, instanceId, wish, sealed)
        const token = wish.token === 'first' ? {} : wish.token
        const minted = token && (await createToken(client, instanceId, token, acting.sourceIp))
        await tell(client, acting, 'instance.connect', instanceId, wish)
        return { outcome: 'connected', record: (await readInstances(client, serviceType))[0]!, minted }
      })
    } catch (error) {
      // The id is taken: by another service or another user of the same first characters. A longer digest tells them apart.
      if (violated(error) !== 'user_service_instances_pkey') throw error
    }
  }
  throw fail('CF12018', { service: serviceType })
}

async function replace(
  { api, vault }: Stores,
  acting: Acting,
  wish: CredentialToStore,
  userId: UserId,
  before: Before,
): Promise<StoredInstance> {
  const { serviceType, credential } = wish
  const { instanceId } = before
  const owner = { userId, instanceId, serviceType }
  const same = await isSameCredential(vault, owner, before.credential, credential)
  const sealed = same ? null : await sealCredential(vault, owner, credential)
  return asUser(api, acting.proof, async (client) => {
    const now = await readStoredCredential(client, serviceType, true)
    if (now === null || now.instanceId !== instanceId || now.version !== before.version)
      throw new Overtaken(serviceType)
    // What is the same to the eye may have been sealed anew by a rotation: then it is left as it is now.
    const stored = sealed ?? now.credential
    const { rowCount } = await client.query(
      `UPDATE user_service_instances SET encrypted_api_key = $2, encrypted_additional_credentials = $3, credential_kind = $4,
         credential_version = credential_version + $5, credential_state = 'active',
         account_label = CASE WHEN $5 = 0 THEN coalesce($6, account_label) ELSE $6 END,
         credential_verified_at = CASE WHEN $7 THEN now() WHEN $5 = 0 THEN credential_verified_at END,
         token_expires_at = CASE WHEN $5 = 0 THEN token_expires_at ELSE $8 END,
         config = CASE WHEN $9::jsonb IS NULL THEN config ELSE jsonb_set(coalesce(config, '{}'), '{variables}', $9) END, updated_at = now()
       WHERE instance_id = $1 AND user_id = current_user_id()`,
      [
        instanceId,
        stored.main,
        JSON.stringify(stored.additional),
        stored.kind,
        same ? 0 : 1,
        wish.accountLabel,
        wish.verified,
        wish.expiresAt,
        wish.variables && JSON.stringify(wish.variables),
      ],
    )
    if (rowCount !== 1) throw new Overtaken(serviceType)
    const token = wish.token === 'first' ? null : wish.token
    const minted = token && (await createToken(client, instanceId, token, acting.sourceIp))
    await tell(client, acting, same ? 'instance.confirm' : 'instance.replace', instanceId, wish)
    const record = (await readInstances(client, serviceType))[0]!
    return { outcome: same ? 'unchanged' : 'replaced', record, minted }
  })
}

async function insert(
  client: pg.ClientBase,
  instanceId: InstanceId,
  wish: CredentialToStore,
  sealed: StoredCredential,
): Promise<void> {
  await client.query(
    `INSERT INTO user_service_instances (instance_id, user_id, service_type, encrypted_api_key, encrypted_additional_credentials,
       credential_kind, account_label, credential_verified_at, token_expires_at, config)
     VALUES ($1, current_user_id(), $2, $3, $4, $5, $6, CASE WHEN $7 THEN now() END, $8, $9)`,
    [
      instanceId,
      wish.serviceType,
      sealed.main,
      JSON.stringify(sealed.additional),
      sealed.kind,
      wish.accountLabel,
      wish.verified,
      wish.expiresAt,
      JSON.stringify(wish.variables && Object.keys(wish.variables).length > 0 ? { variables: wish.variables } : {}),
    ],
  )
}

async function tell(
  client: pg.ClientBase,
  acting: Acting,
  action: string,
  instanceId: InstanceId,
  wish: CredentialToStore,
): Promise<void> {
  await audit(client, {
    action,
    subject: instanceId,
    details: { serviceType: wish.serviceType, kind: wish.credential.kind, verified: wish.verified },
    outcome: 'done',
    ...(acting.sourceIp !== undefined && { sourceIp: acting.sourceIp }),
  })
}

/** The row is not as it was read a moment ago. */
class Overtaken extends Error {
  readonly failure: Error
  constructor(service: ServiceType) {
    super('overtaken')
    this.failure = fail('CF12019', { service })
  }
}

/** Whether doing it again makes sense: the same user connected at the same time, or the data key was dropped by a rotation. */
function isOvertaken(error: unknown): boolean {
  return (
    error instanceof Overtaken ||
    violated(error) === 'user_service_instances_user_id_service_type_key' ||
    violated(error) === 'instance_data_keys_data_key_id_fkey'
  )
}

function violated(error: unknown): string | undefined {
  return (error as { constraint?: string }).constraint
}
