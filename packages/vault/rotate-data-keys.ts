import { setTimeout as sleep } from 'node:timers/promises'
import { Failure, fail } from '@crossfade/model/failure.ts'
import type { InstanceId, ServiceType, UserId } from '@crossfade/model/platform-ids.ts'
import type pg from 'pg'
import { checkKeys } from './check-keys.ts'
import { type DataKeyRow, type StoredDataKey, storedDataKey } from './data-key-store.ts'
import { ask, inTransaction } from './database.ts'
import type { KeyRing } from './key-ring.ts'
import { newDataKey, unwrapDataKey } from './open-vault.ts'
import { openUnder, parseSealed, sealUnder } from './sealed-text.ts'
import type { SecretOwner } from './vault.ts'

/** Users who get a new key in one transaction. Whoever seals for one of them waits for it, and a KMS may take a second for a key. */
const batchUsersMax = 20
/** Instances looked at in one go; each is written in a transaction of its own, so that nobody waits for a batch. */
const batchInstancesMax = 50
/** A row that somebody else writes at the same moment is read again. */
const writeTriesMax = 20
/**
 * A retired key is kept at least this long after it was retired: workers hold sealed texts in memory for minutes, and a secret that is being stored at this moment may be sealed under it.
 */
export const defaultRetiredKeyGraceMs = 30 * 60_000
/** Between two looks for secrets that were sealed with a retired key at the moment it was retired. */
const lookAgainMs = 200
const looksMax = 25

export interface DataKeyRotation {
  /** Users who got a new data key in this run. */
  readonly users: number
  /** Instances whose secrets were sealed anew in this run. */
  readonly instances: number
  /** Instances that still need a retired key. At the end those of `unopened`, and such as others wrote at every look: the next run finds them. */
  readonly remaining: number
  /** Retired keys dropped in this run. */
  readonly dropped: number
  /** Instances that do not open (changed, moved, key unknown): left as they were, and so are the keys they name. */
  readonly unopened: readonly string[]
}

export interface DataKeyRotationOptions {
  /** Users whose current key is younger keep it: a run that was killed goes on by the same `before`. Default: now, so that everybody gets a new one. */
  readonly before?: Date
  readonly retiredKeyGraceMs?: number
  readonly onProgress?: (progress: DataKeyRotation) => void
  readonly signal?: AbortSignal
}

/**
 * Gives every user a new data key and seals their instances' secrets with it, row by row, comparing the old text in each write: a credential that is replaced meanwhile stays replaced.
 * Retired keys open what they sealed until nothing needs them and the grace has passed; then they are dropped. Idempotent in what it leaves; what a killed run left behind, the next one does.
 * Several at once are safe. `keeper` is a pool of the role crossfade_mcp_keeper. Secrets that don't open are reported, not touched. Rejects with CF11014 for the database.
 */
export async function rotateDataKeys(
  keeper: pg.Pool,
  keys: KeyRing,
  options: DataKeyRotationOptions = {},
): Promise<DataKeyRotation> {
  await checkKeys(keeper, keys)
  const rotation = new DataKeysRotating(keeper, keys, options)
  try {
    return await rotation.run()
  } finally {
    rotation.close()
  }
}

interface InstanceRow {
  instance_id: string
  user_id: string
  service_type: string
  encrypted_api_key: string
  encrypted_additional_credentials: Record<string, string> | null
}

class DataKeysRotating {
  readonly #keeper: pg.Pool
  readonly #keys: KeyRing
  readonly #options: DataKeyRotationOptions
  readonly #unopened = new Set<string>()
  /** Keys of the user at hand. */
  readonly #opened = new Map<string, { userId: string; key: Buffer }>()
  #users = 0
  #instances = 0
  #dropped = 0

  constructor(keeper: pg.Pool, keys: KeyRing, options: DataKeyRotationOptions) {
    this.#keeper = keeper
    this.#keys = keys
    this.#options = options
  }

  async run(): Promise<DataKeyRotation> {
    await this.#renewKeys()
    for (let looks = 1; looks <= looksMax; looks += 1) {
      const found = await this.#sealAll()
      if (found === 0) break
      await sleep(lookAgainMs, undefined, { signal: this.#options.signal })
    }
    this.#dropped += await this.#dropRetired()
    return await this.#progress()
  }

  close(): void {
    for (const { key } of this.#opened.values()) key.fill(0)
    this.#opened.clear()
  }

  async #progress(): Promise<DataKeyRotation> {
    const progress = {
      users: this.#users,
      instances: this.#instances,
      remaining: await this.#remaining(),
      dropped: this.#dropped,
      unopened: [...this.#unopened],
    }
    this.#options.onProgress?.(progress)
    return progress
  }

  /** Users in the order of their ids, so that two runs at once meet the same rows in the same order. */
  async #renewKeys(): Promise<void> {
    const before = this.#options.before ?? (await this.#databaseTime())
    let after = '00000000-0000-0000-0000-000000000000'
    for (;;) {
      this.#options.signal?.throwIfAborted()
      const last = await this.#renewBatch(before, after)
      if (last === undefined) return
      after = last
      await this.#progress()
    }
  }

  async #renewBatch(before: Date, after: string): Promise<string | undefined> {
    return await inTransaction(this.#keeper, async (client) => {
      const { rows } = await client.query(
        `SELECT id, user_id FROM public.data_keys WHERE state = 'current' AND created_at < $1 AND user_id > $2
         ORDER BY user_id LIMIT $3 FOR NO KEY UPDATE`,
        [before, after, batchUsersMax],
      )
      const made = await Promise.all(rows.map((row) => newDataKey(this.#keys, row.user_id)))
      for (const [place, { id }] of rows.entries()) {
        const key = made[place]!
        await client.query(
          `UPDATE public.data_keys SET state = 'retired', retired_at = clock_timestamp() WHERE id = $1`,
          [id],
        )
        await client.query(
          `INSERT INTO public.data_keys (id, user_id, key_encryption_key_id, wrapped_key, created_at) VALUES ($1, $2, $3, $4, clock_timestamp())`,
          [key.id, key.userId, key.keyEncryptionKeyId, key.wrappedKey],
        )
      }
      this.#users += rows.length
      return rows.at(-1)?.user_id as string | undefined
    })
  }

  /** Seals anew whatever refers to a retired key, whichever run retired it. Gives the number of instances that it found. */
  async #sealAll(): Promise<number> {
    let found = 0
    let after = { userId: '00000000-0000-0000-0000-000000000000', instanceId: '' }
    for (;;) {
      this.#options.signal?.throwIfAborted()
      const rows = await inTransaction(this.#keeper, async (client) => {
        const result = await client.query<{ instance_id: string; user_id: string }>(
          `SELECT DISTINCT k.user_id, r.instance_id FROM public.data_keys k JOIN public.instance_data_keys r ON r.data_key_id = k.id
           WHERE k.state = 'retired' AND (k.user_id, r.instance_id) > ($1, $2) AND NOT r.instance_id = ANY ($3)
           ORDER BY k.user_id, r.instance_id LIMIT $4`,
          [after.userId, after.instanceId, [...this.#unopened], batchInstancesMax],
        )
        return result.rows
      })
      for (const row of rows) await this.#sealOne(row.instance_id)
      const last = rows.at(-1)
      if (last === undefined) return found
      found += rows.length
      after = { userId: last.user_id, instanceId: last.instance_id }
      await this.#progress()
    }
  }

  async #sealOne(instanceId: string): Promise<void> {
    for (let tries = 1; tries <= writeTriesMax; tries += 1) {
      this.#options.signal?.throwIfAborted()
      const outcome = await this.#trySealing(instanceId)
      if (outcome === 'done') return
    }
    // It changes all the time: whoever writes it seals under the new key anyway, and the next look sees whether.
  }

  async #trySealing(instanceId: string): Promise<'done' | 'again'> {
    return await inTransaction(this.#keeper, async (client) => {
      const { rows } = await client.query<InstanceRow>(
        `SELECT instance_id, user_id, service_type, encrypted_api_key, encrypted_additional_credentials
         FROM public.user_service_instances WHERE instance_id = $1`,
        [instanceId],
      )
      const row = rows[0]
      if (!row) return 'done'
      const sealed = await this.#sealAnew(client, row)
      if (!sealed) return 'done'
      const { rowCount } = await client.query(
        `UPDATE public.user_service_instances SET encrypted_api_key = $2, encrypted_additional_credentials = $3
         WHERE instance_id = $1 AND encrypted_api_key = $4 AND encrypted_additional_credentials IS NOT DISTINCT FROM $5::jsonb`,
        [
          instanceId,
          sealed.main,
          JSON.stringify(sealed.additional),
          row.encrypted_api_key,
          row.encrypted_additional_credentials === null ? null : JSON.stringify(row.encrypted_additional_credentials),
        ],
      )
      if (rowCount === 0) return 'again'
      this.#instances += 1
      return 'done'
    })
  }

  /** The row's secrets under the user's current key; undefined when they are already, or when they don't open. */
  async #sealAnew(
    client: pg.PoolClient,
    row: InstanceRow,
  ): Promise<{ main: string; additional: Record<string, string> } | undefined> {
    const owner: SecretOwner = {
      userId: row.user_id as UserId,
      instanceId: row.instance_id as InstanceId,
      serviceType: row.service_type as ServiceType,
    }
    const names = Object.keys(row.encrypted_additional_credentials ?? {})
    const texts = [row.encrypted_api_key, ...names.map((name) => row.encrypted_additional_credentials![name]!)]
    const { rows } = await client.query<DataKeyRow>(
      `SELECT id, user_id, key_encryption_key_id, wrapped_key FROM public.data_keys WHERE user_id = $1 AND state = 'current'`,
      [row.user_id],
    )
    if (!rows[0]) return undefined
    const current = storedDataKey(rows[0])
    const stale = texts.map(
      (text) => text.startsWith(sealedPrefix) && !text.startsWith(`${sealedPrefix}${current.id}.`),
    )
    if (!stale.includes(true)) return undefined
    try {
      const sealed: string[] = []
      for (const [place, text] of texts.entries()) {
        sealed.push(stale[place] ? await this.#sealText(client, current, owner, text) : text)
      }
      await client.query('UPDATE public.data_keys SET seals = seals + $2 WHERE id = $1', [
        current.id,
        stale.filter(Boolean).length,
      ])
      return { main: sealed[0]!, additional: Object.fromEntries(names.map((name, n) => [name, sealed[n + 1]!])) }
    } catch (error) {
      if (!(error instanceof Failure) || !unopenedCodes.has(error.code)) throw error
      this.#unopened.add(row.instance_id)
      return undefined
    }
  }

  async #sealText(client: pg.PoolClient, current: StoredDataKey, owner: SecretOwner, text: string): Promise<string> {
    const parts = parseSealed(text)
    const { rows } = await client.query<DataKeyRow>(
      'SELECT id, user_id, key_encryption_key_id, wrapped_key FROM public.data_keys WHERE id = $1 AND user_id = $2',
      [parts.dataKeyId, owner.userId],
    )
    if (!rows[0]) throw fail('CF11003', { dataKeyId: parts.dataKeyId })
    // Both are at hand before either is used: what is opened is sealed again in the same breath.
    const oldKey = await this.#keyOf(storedDataKey(rows[0]))
    const newKey = await this.#keyOf(current)
    return sealUnder(current.id, newKey, owner, openUnder(oldKey, owner, parts))
  }

  async #keyOf(stored: StoredDataKey): Promise<Buffer> {
    const known = this.#opened.get(stored.id)
    if (known) return known.key
    const key = await unwrapDataKey(this.#keys, stored)
    // Users come one after the other: keys of the one before are needed no more.
    for (const [id, other] of this.#opened) {
      if (other.userId === stored.userId) continue
      other.key.fill(0)
      this.#opened.delete(id)
    }
    this.#opened.set(stored.id, { userId: stored.userId, key })
    return key
  }

  /** The reference of instance_data_keys makes it safe: a key that somebody begins to need at this moment stays. */
  async #dropRetired(): Promise<number> {
    const graceMs = this.#options.retiredKeyGraceMs ?? defaultRetiredKeyGraceMs
    const keys = await ask<{ id: string }>(this.#keeper, {
      text: `SELECT k.id FROM public.data_keys k WHERE k.state = 'retired' AND k.retired_at < clock_timestamp() - make_interval(secs => $1)
         AND NOT EXISTS (SELECT FROM public.instance_data_keys r WHERE r.data_key_id = k.id)`,
      values: [graceMs / 1000],
    })
    let dropped = 0
    for (const { id } of keys) {
      try {
        const text = `DELETE FROM public.data_keys WHERE id = $1 AND state = 'retired' RETURNING 1`
        dropped += (await ask(this.#keeper, { text, values: [id] })).length
      } catch (error) {
        if (((error as Error).cause as { code?: string }).code !== foreignKeyViolation) throw error
      }
    }
    return dropped
  }

  async #remaining(): Promise<number> {
    const [row] = await ask<{ count: number }>(this.#keeper, {
      text: `SELECT count(DISTINCT r.instance_id) AS count FROM public.data_keys k JOIN public.instance_data_keys r ON r.data_key_id = k.id WHERE k.state = 'retired'`,
    })
    return row!.count
  }

  async #databaseTime(): Promise<Date> {
    const [row] = await ask<{ now: Date }>(this.#keeper, { text: 'SELECT clock_timestamp() AS now' })
    return row!.now
  }
}

const foreignKeyViolation = '23503'
/** What the vault did not seal (credentials that came from a legacy platform) is no business of its keys. */
const sealedPrefix = 'v1.'
const unopenedCodes: ReadonlySet<string> = new Set(['CF11001', 'CF11002', 'CF11003', 'CF11005'])
