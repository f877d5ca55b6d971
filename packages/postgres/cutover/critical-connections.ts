import type { ShardId } from '@crossfade/model/ids.ts'
import type pg from 'pg'

/** Opens a session on a shard; the settings of `connection/connect.ts` are assumed. */
export type OpenSession = (shard: ShardId) => Promise<pg.Client>

/**
 * One open session per database for the critical section of a cutover, so that nothing is resolved, encrypted or authenticated while clients wait.
 * A session is lent to one user at a time, in the order of asking; a broken one is replaced when it is next asked for.
 */
export class CriticalConnections {
  readonly #open: OpenSession
  readonly #sessions = new Map<ShardId, Session>()
  #closed = false

  constructor(open: OpenSession) {
    this.#open = open
  }

  /** Opens the shards' sessions, or finds that they still answer. Idempotent. Rejects with the failure of the first that can't be opened. */
  async warm(shards: readonly ShardId[]): Promise<void> {
    await Promise.all(shards.map((shard) => this.use(shard, (client) => client.query('SELECT 1'), { check: true })))
  }

  /** Gives the shard's session to `work`; a transaction must be ended by it. */
  use<T>(
    shard: ShardId,
    work: (client: pg.Client) => Promise<T>,
    options: { readonly check?: boolean } = {},
  ): Promise<T> {
    const session = this.#session(shard)
    const turn = session.last.then(async () => {
      let client = await this.#live(session, shard)
      if (options.check && !(await answers(client))) {
        session.alive = false
        client = await this.#live(session, shard)
      }
      return work(client)
    })
    session.last = turn.catch(() => {})
    return turn
  }

  /** Waits for the users at work and ends every session. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(
      [...this.#sessions.values()].map(async (session) => {
        await session.last
        await session.client?.end().catch(() => {})
      }),
    )
    this.#sessions.clear()
  }

  #session(shard: ShardId): Session {
    let session = this.#sessions.get(shard)
    if (!session) {
      session = { client: null, alive: false, last: Promise.resolve() }
      this.#sessions.set(shard, session)
    }
    return session
  }

  async #live(session: Session, shard: ShardId): Promise<pg.Client> {
    if (session.client && session.alive) return session.client
    if (this.#closed) throw new Error('the connections of the cutover are closed')
    void session.client?.end().catch(() => {})
    const client = await this.#open(shard)
    session.client = client
    session.alive = true
    const gone = () => {
      if (session.client === client) session.alive = false
    }
    client.on('error', gone)
    client.on('end', gone)
    return client
  }
}

interface Session {
  client: pg.Client | null
  alive: boolean
  /** Settles when the last user in line has finished. */
  last: Promise<unknown>
}

function answers(client: pg.Client): Promise<boolean> {
  return client.query('SELECT 1').then(
    () => true,
    () => false,
  )
}
