import { randomUUID } from 'node:crypto'
import { systemClock } from '@crossfade/model/clock.ts'
import { Failure } from '@crossfade/model/failure.ts'
import type { LedgerEntry, LedgerWriter } from './ledger.ts'

/** What the traffic needs of a database client: `@crossfade/client` is one. */
export interface TrafficClient {
  query(
    key: string,
    sql: string,
    values?: readonly unknown[],
  ): Promise<{ rows: Record<string, unknown>[]; rowCount: number | null }>
  transaction<T>(
    key: string,
    work: (tx: {
      query(sql: string, values?: readonly unknown[]): Promise<{ rows: Record<string, unknown>[] }>
    }) => Promise<T>,
  ): Promise<T>
}

export interface TrafficOptions {
  readonly client: TrafficClient
  readonly ledger: LedgerWriter
  readonly tenants: readonly string[]
  readonly writesPerSecond: number
  /** Loops that write side by side; each owns the rows that it made, so their order in the ledger is their order in the database. */
  readonly writers: number
  readonly random: () => number
  /** Told of every failed write; the program goes on. */
  readonly onError: (error: unknown, operation: string) => void
}

export interface TrafficCounts {
  acknowledged: number
  errors: number
  /** Writes whose connection broke before the answer; the ledger judges their rows no more. */
  unknown: number
  /** Milliseconds from the call to the answer, of the latest writes; at most `latencySamplesMax`. */
  latencies: number[]
}

export interface Traffic {
  readonly counts: TrafficCounts
  /** Finishes what is under way and stops; safe to call twice. */
  stop(): Promise<void>
}

const latencySamplesMax = 200_000
/** Rows a writer keeps in mind to update or delete later; the oldest is forgotten first. */
const ownedRowsMax = 2_000

interface Owned {
  readonly tenant: string
  readonly id: string
}

interface Writer {
  readonly options: TrafficOptions
  readonly tenants: readonly string[]
  readonly deliveries: Owned[]
  readonly templates: Owned[]
  readonly keys: Owned[]
  readonly webhooks: Map<string, string>
}

type Operation = (writer: Writer) => Promise<void>

/** How often each operation is drawn, in percent. */
const operations: readonly (readonly [weight: number, name: string, run: Operation])[] = [
  [34, 'deliver', deliver],
  [20, 'retry a delivery', retryDelivery],
  [12, 'count a message', countMessage],
  [10, 'change a setting', changeSetting],
  [6, 'write a template', writeTemplate],
  [6, 'rename a template', renameTemplate],
  [5, 'issue a key', issueKey],
  [3, 'revoke a key', revokeKey],
  [4, 'open a channel', openChannel],
]

/** Starts writing and goes on, at the asked rate, until `stop`. Every acknowledged write is in the ledger before the next one of its row starts. */
export function startTraffic(options: TrafficOptions): Traffic {
  const counts: TrafficCounts = { acknowledged: 0, errors: 0, unknown: 0, latencies: [] }
  let stopping = false
  const pauseMs = (1000 * options.writers) / options.writesPerSecond
  const loop = async (ordinal: number) => {
    const tenants = options.tenants.filter((_, index) => index % options.writers === ordinal)
    const writer: Writer = { options, tenants, deliveries: [], templates: [], keys: [], webhooks: new Map() }
    let due = performance.now() + options.random() * pauseMs
    while (!stopping) {
      const wait = due - performance.now()
      if (wait > 0) await systemClock.sleep(wait)
      // After a hold the missed writes are not made up for: a real client's users wait, they do not double.
      due = Math.max(due + pauseMs, performance.now() - pauseMs)
      const [, name, run] = draw(options.random)
      const before = options.ledger.entries
      const started = performance.now()
      try {
        await run(writer)
        counts.acknowledged += options.ledger.entries - before
      } catch (error) {
        if (isUnknown(error)) counts.unknown++
        else {
          counts.errors++
          options.onError(error, name)
        }
      }
      if (counts.latencies.length < latencySamplesMax) counts.latencies.push(performance.now() - started)
    }
  }
  const loops = Array.from({ length: options.writers }, (_, ordinal) => loop(ordinal))
  return {
    counts,
    stop: async () => {
      stopping = true
      await Promise.all(loops)
    },
  }
}

/** Does a write and enters it once it is acknowledged. One whose connection broke before the answer may or may not have happened, and is entered as that. */
async function entered<Result>(
  writer: Writer,
  entries: readonly LedgerEntry[],
  write: () => Promise<Result>,
): Promise<Result> {
  const { ledger } = writer.options
  try {
    const result = await write()
    for (const entry of entries) ledger.write(entry)
    return result
  } catch (error) {
    if (isUnknown(error))
      for (const { table, tenant, key } of entries) ledger.write({ kind: 'unknown', table, tenant, key })
    throw error
  }
}

function isUnknown(error: unknown): boolean {
  return error instanceof Failure && error.code === 'CF7106'
}

function draw(random: () => number): (typeof operations)[number] {
  let at = random() * 100
  for (const operation of operations) {
    at -= operation[0]
    if (at < 0) return operation
  }
  return operations[0]!
}

function pick<T>(items: readonly T[], random: () => number): T | undefined {
  return items[Math.floor(random() * items.length)]
}

/** A writer's tenant; the low ranks, which hold most rows, are drawn most. */
function someTenant({ tenants, options }: Writer): string {
  return tenants[Math.floor(options.random() ** 2 * tenants.length)]!
}

function own(rows: Owned[], row: Owned): void {
  rows.push(row)
  if (rows.length > ownedRowsMax) rows.shift()
}

async function webhookOf(writer: Writer, tenant: string): Promise<string> {
  const known = writer.webhooks.get(tenant)
  if (known) return known
  const id = randomUUID()
  const { client } = writer.options
  const name = `live ${id}`
  const row: LedgerEntry = {
    kind: 'row',
    table: 'webhooks',
    tenant,
    key: { id },
    columns: { tenant_id: tenant, name, active: 'true' },
  }
  await entered(writer, [row], () =>
    client.query(tenant, 'INSERT INTO webhooks (id, tenant_id, name, url, secret) VALUES ($1, $2, $3, $4, $5)', [
      id,
      tenant,
      name,
      'https://example.com/live',
      id,
    ]),
  )
  writer.webhooks.set(tenant, id)
  return id
}

async function deliver(writer: Writer): Promise<void> {
  const tenant = someTenant(writer)
  const webhook = await webhookOf(writer, tenant)
  const event = randomUUID()
  const { client } = writer.options
  const row: LedgerEntry = {
    kind: 'row',
    table: 'webhook_deliveries',
    tenant,
    key: { event_id: event },
    columns: { webhook_id: webhook, attempts: '0', status: 'pending' },
  }
  await entered(writer, [row], () =>
    client.query(tenant, 'INSERT INTO webhook_deliveries (webhook_id, event_id, payload) VALUES ($1, $2, $3)', [
      webhook,
      event,
      JSON.stringify({ event }),
    ]),
  )
  own(writer.deliveries, { tenant, id: event })
}

async function retryDelivery(writer: Writer): Promise<void> {
  const owned = pick(writer.deliveries, writer.options.random)
  if (!owned) return deliver(writer)
  const { client } = writer.options
  const { tenant } = owned
  const status = pick(['pending', 'delivered', 'failed'], writer.options.random)!
  const webhook = writer.webhooks.get(tenant)
  const place = { table: 'webhook_deliveries', tenant, key: { event_id: owned.id } }
  const attempts = await entered(
    writer,
    [
      { kind: 'raise', ...place, column: 'attempts', by: 1 },
      { kind: 'row', ...place, columns: { status } },
    ],
    async () => {
      const result = await client.query(
        tenant,
        'UPDATE webhook_deliveries SET attempts = attempts + 1, status = $3::delivery_status, last_attempt_at = now() WHERE webhook_id = $1 AND event_id = $2 RETURNING attempts::text',
        [webhook, owned.id, status],
      )
      const raised = result.rows[0]?.attempts as string | undefined
      if (raised === undefined) throw new Error(`acknowledged delivery ${owned.id} is not there`)
      return raised
    },
  )
  // smallint: stop before it could overflow in a long run.
  if (Number(attempts) >= 1_000) writer.deliveries.splice(writer.deliveries.indexOf(owned), 1)
}

async function countMessage(writer: Writer): Promise<void> {
  const tenant = someTenant(writer)
  const { client } = writer.options
  await entered(
    writer,
    [{ kind: 'raise', table: 'tenant_limits', tenant, key: { tenant_id: tenant }, column: 'messages_used', by: 1 }],
    () =>
      client.query(tenant, 'UPDATE tenant_limits SET messages_used = messages_used + 1 WHERE tenant_id = $1', [tenant]),
  )
}

async function changeSetting(writer: Writer): Promise<void> {
  const tenant = someTenant(writer)
  const { client, random } = writer.options
  const key = `live.${Math.floor(random() * 20)}`
  const place = { table: 'tenant_settings', tenant, key: { tenant_id: tenant, settings_key: key } }
  if (random() < 0.15) {
    await entered(writer, [{ kind: 'gone', ...place }], () =>
      client.query(tenant, 'DELETE FROM tenant_settings WHERE tenant_id = $1 AND settings_key = $2', [tenant, key]),
    )
    return
  }
  const value = JSON.stringify(randomUUID())
  await entered(writer, [{ kind: 'row', ...place, columns: { settings_value: value } }], () =>
    client.query(
      tenant,
      'INSERT INTO tenant_settings VALUES ($1, $2, $3::jsonb) ON CONFLICT (tenant_id, settings_key) DO UPDATE SET settings_value = excluded.settings_value',
      [tenant, key, value],
    ),
  )
}

async function writeTemplate(writer: Writer): Promise<void> {
  const tenant = someTenant(writer)
  const id = randomUUID()
  const { client, random } = writer.options
  // Every third is long and does not compress, so PostgreSQL stores it out of line.
  const content = random() < 0.34 ? Array.from({ length: 90 }, () => randomUUID()).join('') : `Hello ${id}`
  const columns = { tenant_id: tenant, name: 'new', content }
  await entered(writer, [{ kind: 'row', table: 'message_templates', tenant, key: { id }, columns }], () =>
    client.query(
      tenant,
      "INSERT INTO message_templates (id, tenant_id, name, content, channel_type) VALUES ($1, $2, $3, $4, 'email')",
      [id, tenant, 'new', content],
    ),
  )
  own(writer.templates, { tenant, id })
}

async function renameTemplate(writer: Writer): Promise<void> {
  const owned = pick(writer.templates, writer.options.random)
  if (!owned) return writeTemplate(writer)
  const { client } = writer.options
  const { tenant, id } = owned
  const name = `renamed ${randomUUID()}`
  await entered(writer, [{ kind: 'row', table: 'message_templates', tenant, key: { id }, columns: { name } }], () =>
    client.query(tenant, 'UPDATE message_templates SET name = $2 WHERE id = $1', [id, name]),
  )
}

async function issueKey(writer: Writer): Promise<void> {
  const tenant = someTenant(writer)
  const id = randomUUID()
  const { client } = writer.options
  const columns = { tenant_id: tenant, name: 'live' }
  await entered(writer, [{ kind: 'row', table: 'api_keys', tenant, key: { id }, columns }], () =>
    client.query(tenant, 'INSERT INTO api_keys (id, tenant_id, key_hash, name) VALUES ($1, $2, $3, $4)', [
      id,
      tenant,
      Buffer.from(id),
      'live',
    ]),
  )
  own(writer.keys, { tenant, id })
}

async function revokeKey(writer: Writer): Promise<void> {
  const owned = pick(writer.keys, writer.options.random)
  if (!owned) return issueKey(writer)
  const { client } = writer.options
  const { tenant, id } = owned
  await entered(writer, [{ kind: 'gone', table: 'api_keys', tenant, key: { id } }], () =>
    client.query(tenant, 'DELETE FROM api_keys WHERE id = $1', [id]),
  )
  writer.keys.splice(writer.keys.indexOf(owned), 1)
}

async function openChannel(writer: Writer): Promise<void> {
  const tenant = someTenant(writer)
  const id = randomUUID()
  const { client } = writer.options
  const configuration = (key: string, value: string): LedgerEntry => ({
    kind: 'row',
    table: 'channel_configurations',
    tenant,
    key: { channel_id: id, config_key: key },
    columns: { config_value: value },
  })
  const columns = { tenant_id: tenant, status: 'active' }
  await entered(
    writer,
    [
      { kind: 'row', table: 'channels', tenant, key: { id }, columns },
      configuration('colour', 'blue'),
      configuration('motto', ''),
    ],
    () =>
      client.transaction(tenant, async (tx) => {
        await tx.query("INSERT INTO channels (id, tenant_id, channel_type) VALUES ($1, $2, 'webchat')", [id, tenant])
        await tx.query("INSERT INTO channel_configurations VALUES ($1, 'colour', 'blue'), ($1, 'motto', '')", [id])
        await tx.query("INSERT INTO channel_credentials VALUES ($1, 'token', $2)", [id, Buffer.from(id)])
      }),
  )
}
