// Connections to remote MCP servers: one per instance and key, so that no session of a server is ever shared by two users.
import type { ServiceConfig } from '@crossfade/catalog/service-config.ts'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import type { Dispatcher } from 'undici'
import type { InstanceSession } from '../instances/session.ts'
import { remoteEndpoint } from './remote-fetch.ts'

/** Connections that are kept; beyond, the one used longest ago is closed. */
const connectionsMax = 1_000
/** An unused connection is closed after this. */
const idleMsMax = 300_000
const sweepMs = 60_000
/** Pages of a server's tools that are read. */
const pagesMax = 20

export interface RemoteConnections {
  /** The instance's connection, made when there is none for its present key. Rejects as the client does. */
  open(session: InstanceSession, config: ServiceConfig): Promise<Client>
  /** Closes the instance's connection: its server has forgotten it, or it broke. */
  drop(instanceId: string): void
  close(): Promise<void>
}

interface Entry {
  readonly version: number
  readonly config: ServiceConfig
  readonly client: Promise<Client>
  /** The session that was opened last: it knows the present credential. */
  readonly last: { session: InstanceSession }
  usedAtMs: number
}

export function createRemoteConnections(
  dispatcher: Dispatcher,
  version: string,
  connectMsMax: number,
  bytesMax: number,
): RemoteConnections {
  // In the order of their last use.
  const entries = new Map<string, Entry>()
  const closing = new Set<Promise<void>>()

  const drop = (instanceId: string): void => {
    const entry = entries.get(instanceId)
    if (entry === undefined) return
    entries.delete(instanceId)
    const closed = entry.client.then((client) => client.close()).catch(() => undefined)
    closing.add(closed)
    void closed.finally(() => closing.delete(closed))
  }

  const connect = async (session: () => InstanceSession, config: ServiceConfig): Promise<Client> => {
    const { url, fetch } = remoteEndpoint(config, session, dispatcher, bytesMax)
    const client = new Client(
      { name: 'crossfade-mcp', version },
      {
        versionNegotiation: { mode: 'auto' },
        listMaxPages: pagesMax,
        // Whoever called the tool validates what comes out of it; a foreign schema is not compiled here.
        jsonSchemaValidator: {
          getValidator: () => (input) => ({ valid: true, data: input as never, errorMessage: undefined }),
        },
        inputRequired: { autoFulfill: false },
      },
    )
    const transport = new StreamableHTTPClientTransport(url, {
      fetch,
      onInsufficientScope: 'throw',
      reconnectionOptions: {
        maxRetries: 0,
        initialReconnectionDelay: 1_000,
        maxReconnectionDelay: 1_000,
        reconnectionDelayGrowFactor: 1,
      },
    })
    await client.connect(transport, { timeout: connectMsMax })
    return client
  }

  const sweep = setInterval(() => {
    const oldest = performance.now() - idleMsMax
    for (const [instanceId, { usedAtMs }] of entries) if (usedAtMs < oldest) drop(instanceId)
  }, sweepMs)
  sweep.unref()

  return {
    open(session, config) {
      const { instanceId, credentialVersion } = session
      const known = entries.get(instanceId)
      if (known !== undefined && known.version === credentialVersion && known.config === config) {
        known.usedAtMs = performance.now()
        known.last.session = session
        entries.delete(instanceId)
        entries.set(instanceId, known)
        return known.client
      }
      drop(instanceId)
      const usedAtMs = performance.now()
      const last = { session }
      const client = connect(() => last.session, config)
      const entry: Entry = { version: credentialVersion, config, client, last, usedAtMs }
      entries.set(instanceId, entry)
      // One that could not be made is not kept.
      client.catch(() => {
        if (entries.get(instanceId) === entry) entries.delete(instanceId)
      })
      if (entries.size > connectionsMax) {
        const [oldest] = entries.keys()
        if (oldest !== undefined) drop(oldest)
      }
      return client
    },
    drop,
    async close() {
      clearInterval(sweep)
      for (const instanceId of [...entries.keys()]) drop(instanceId)
      await Promise.all(closing)
    },
  }
}
