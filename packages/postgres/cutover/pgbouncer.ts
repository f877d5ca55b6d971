import { fail, reasonOf } from '@crossfade/model/failure.ts'
import type { ResolvedShard } from '@crossfade/pipeline/resolved-plan.ts'
import pg from 'pg'
import { shardConnection } from '../connection/connect.ts'
import { quoteIdentifier } from '../connection/quote.ts'
import { processSecrets, resolveSecret } from '../connection/secret.ts'
import type { HookContext, PgbouncerHook } from './hooks.ts'
import { type DatabaseAddress, switchEntries } from './pgbouncer-config.ts'

/** How long PAUSE may wait for transactions to give their server connections back. Clients are held meanwhile. */
const pauseMsMax = 3_000
/** How long any other command of the admin console may take. */
const commandMsMax = 5_000
const defaultPort = 5432

/**
 * Holds the clients of the databases: they wait without an error. Takes the hold back and rejects with CF5110 when transactions do not end in time.
 */
export async function pauseDatabases(hook: PgbouncerHook, context: HookContext): Promise<void> {
  const names = hook.databases.map((entry) => parseEntry(entry).name)
  try {
    await withConsole(hook, context, async (command) => {
      for (const name of names)
        if (!(await isPaused(command, name))) await command(`PAUSE ${quoteIdentifier(name)}`, pauseMsMax)
    })
  } catch (error) {
    await resumeDatabases(hook, context).catch(() => {})
    throw error
  }
}

/** Makes the databases lead to the side `context.to`, and lets their clients go on. Idempotent. Rejects with CF5110 or CF5111; clients are then still held. */
export async function switchDatabases(hook: PgbouncerHook, context: HookContext): Promise<void> {
  const entries = new Map(hook.databases.map((entry) => [parseEntry(entry).name, () => addressOf(entry, context)]))
  await switchEntries(hook.configPath, context.migration, context.to, entries)
  await withConsole(hook, context, (command) => command('RELOAD', commandMsMax))
  await resumeDatabases(hook, context)
}

/** Lets the clients go on where they were. Idempotent. */
export async function resumeDatabases(hook: PgbouncerHook, context: HookContext): Promise<void> {
  await withConsole(hook, context, async (command) => {
    for (const entry of hook.databases) {
      const { name } = parseEntry(entry)
      if (await isPaused(command, name)) await command(`RESUME ${quoteIdentifier(name)}`, commandMsMax)
    }
  })
}

type Command = (text: string, timeoutMs: number) => Promise<readonly Readonly<Record<string, unknown>>[]>

/** `app` or `app=target/0`: PgBouncer's name, and the shard it leads to after the cutover. */
function parseEntry(entry: string): { readonly name: string; readonly shard: string | null } {
  const equals = entry.indexOf('=')
  return equals < 0 ? { name: entry, shard: null } : { name: entry.slice(0, equals), shard: entry.slice(equals + 1) }
}

function addressOf(entry: string, { plan, to, secrets }: HookContext): DatabaseAddress {
  const { name, shard } = parseEntry(entry)
  const { shards } = plan[to]
  const found = to === 'target' && shard !== null ? shards.find((each) => each.id === shard) : onlyOne(shards)
  if (!found) {
    const reason = `the entry ${name} must name its shard (${name}=${shards[0]?.id ?? 'shard'}), because there are ${shards.length}`
    throw fail('CF5111', { path: 'databases', reason })
  }
  const { config } = shardConnection({ shard: found, ...(secrets ? { secrets } : {}) })
  return { host: config.host!, port: config.port ?? defaultPort, database: config.database! }
}

function onlyOne(shards: readonly ResolvedShard[]): ResolvedShard | undefined {
  return shards.length === 1 ? shards[0] : undefined
}

async function isPaused(command: Command, name: string): Promise<boolean> {
  const rows = await command('SHOW DATABASES', commandMsMax)
  const row = rows.find((each) => each['name'] === name)
  return row?.['paused'] === '1' || row?.['paused'] === 1
}

async function withConsole(
  hook: PgbouncerHook,
  context: HookContext,
  work: (command: Command) => Promise<unknown>,
): Promise<void> {
  const secrets = context.secrets ?? processSecrets
  const secret = hook.secret === null ? null : resolveSecret(hook.secret, secrets)
  const url = new URL(hook.secret?.holds === 'url' ? secret! : hook.adminUrl)
  if (hook.secret?.holds === 'password') url.password = encodeURIComponent(secret!)
  const address = url.host
  const client = new pg.Client({ connectionString: url.href, connectionTimeoutMillis: commandMsMax })
  client.on('error', () => {})
  const trouble = (command: string, error: unknown) =>
    fail('CF5110', { address, command, reason: reasonOf(error) }, error)
  try {
    await client.connect().catch((error: unknown) => {
      throw trouble('connect', error)
    })
    await work(async (text, timeoutMs) => {
      // The console speaks the simple protocol only, which `query` uses where there are no values.
      const answer = client.query<Record<string, unknown>>(text)
      return (
        await withTimeout(answer, timeoutMs).catch((error: unknown) => {
          throw trouble(text, error)
        })
      ).rows
    })
  } finally {
    // Not awaited: a console that is still pausing answers nothing, and closing the socket ends that.
    void client.end().catch(() => {})
  }
}

function withTimeout<T>(promise: Promise<T>, milliseconds: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds} ms`)), milliseconds)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
