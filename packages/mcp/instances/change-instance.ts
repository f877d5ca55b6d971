// What a user changes about an instance besides its credential.
import type { Service } from '@crossfade/catalog/catalog.ts'
import { audit } from '@crossfade/mcp-database/audit.ts'
import { fail } from '@crossfade/model/failure.ts'
import type { InstanceId, ServiceType } from '@crossfade/model/platform-ids.ts'
import type pg from 'pg'
import { readVariables } from './credential-input.ts'
import { type InstanceRecord, readInstances } from './instance-record.ts'
import type { InstanceSettings } from './session.ts'

export interface InstanceChange {
  /** Members that are left out stay as they are. */
  readonly settings?: Partial<InstanceSettings>
  /** False: the instance opens to nobody until it is true again. */
  readonly active?: boolean
}

/** Settings as they are stored, at most. */
const settingsBytesMax = 256 * 1024

/** The user's instance of a service. Rejects with CF12014 when there is none. */
export async function needInstance(client: pg.ClientBase, serviceType: ServiceType): Promise<InstanceRecord> {
  const record = (await readInstances(client, serviceType))[0]
  if (!record) throw fail('CF12014', { service: serviceType })
  return record
}

/** Changes settings, or switches the instance off and on. Rejects with CF12014, CF12012 (a variable), CF12017 (a tool that there is not, or another address for a stored key). Audited. */
export async function changeInstance(
  client: pg.ClientBase,
  service: Service,
  change: InstanceChange,
  sourceIp?: string,
): Promise<InstanceRecord> {
  const { serviceType } = service.config
  await client.query(
    'SELECT FROM user_service_instances WHERE user_id = current_user_id() AND service_type = $1 FOR UPDATE',
    [serviceType],
  )
  const before = await needInstance(client, serviceType)
  const settings = change.settings ? checkedSettings(service, before, change.settings) : before.settings
  const text = JSON.stringify(settings)
  if (Buffer.byteLength(text) > settingsBytesMax) throw fail('CF12017', { reason: 'they are too large' })
  await client.query(
    `UPDATE user_service_instances SET config = coalesce(config, '{}') || $2::jsonb, is_active = coalesce($3, is_active), updated_at = now()
     WHERE instance_id = $1 AND user_id = current_user_id()`,
    [before.instanceId, change.settings ? text : '{}', change.active ?? null],
  )
  const action =
    change.active === undefined ? 'instance.settings' : change.active ? 'instance.resume' : 'instance.pause'
  await audit(client, {
    action,
    subject: before.instanceId,
    details: { serviceType, changed: Object.keys(change.settings ?? {}) },
    outcome: 'done',
    ...(sourceIp !== undefined && { sourceIp }),
  })
  return needInstance(client, serviceType)
}

/** Takes the user's instance of a service away, with its credential and tokens. Rejects with CF12014 when there is none. Audited. */
export async function removeInstance(
  client: pg.ClientBase,
  serviceType: ServiceType,
  sourceIp?: string,
): Promise<InstanceId> {
  const { rows } = await client.query<{ instance_id: InstanceId }>(
    'DELETE FROM user_service_instances WHERE user_id = current_user_id() AND service_type = $1 RETURNING instance_id',
    [serviceType],
  )
  const removed = rows[0]
  if (!removed) throw fail('CF12014', { service: serviceType })
  // What the upstream said about its keys goes with it.
  await client.query('DELETE FROM api_key_validation_cache WHERE service_type = $1 AND is_valid', [serviceType])
  await audit(client, {
    action: 'instance.delete',
    subject: removed.instance_id,
    details: { serviceType },
    outcome: 'done',
    ...(sourceIp !== undefined && { sourceIp }),
  })
  return removed.instance_id
}

function checkedSettings(
  service: Service,
  { settings: before, credentialKind }: InstanceRecord,
  wish: Partial<InstanceSettings>,
): InstanceSettings {
  const settings = { ...before, ...wish } as { -readonly [Name in keyof InstanceSettings]: InstanceSettings[Name] }
  // A remote server's tools are known only when it is asked.
  if (service.config.source.kind !== 'remote-mcp') {
    for (const name of [...(wish.tools ?? []), ...Object.keys(wish.overrides ?? {})]) {
      if (!service.tool(name)) throw fail('CF12017', { reason: `${service.config.serviceType} has no tool ${name}` })
    }
  }
  if (new Set(settings.tools ?? []).size !== (settings.tools ?? []).length)
    throw fail('CF12017', { reason: 'a tool is chosen twice' })
  if (wish.variables) settings.variables = readVariables(service.config, wish.variables, before.variables)
  // They say which host the key is sent to: who may change settings but does not have the key must not have it sent elsewhere.
  if (credentialKind !== 'none' && !sameVariables(settings.variables, before.variables))
    throw fail('CF12017', { reason: 'variables of the address are entered together with the key' })
  return settings
}

function sameVariables(one: Readonly<Record<string, string>>, other: Readonly<Record<string, string>>): boolean {
  return [...new Set([...Object.keys(one), ...Object.keys(other)])].every((name) => one[name] === other[name])
}
