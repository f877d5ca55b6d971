import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { fail, reasonOf } from '@crossfade/model/failure.ts'
import { oneAtATime } from '@crossfade/model/one-at-a-time.ts'
import pg from 'pg'
import { connectionOptions } from './connection.ts'

/** Something that workers hold in memory was changed by a transaction that has committed. */
export type Change =
  | { readonly kind: 'instance'; readonly instanceId: string }
  | { readonly kind: 'token'; readonly tokenId: string; readonly instanceId: string }
  | { readonly kind: 'user'; readonly userId: string }
  | { readonly kind: 'catalog'; readonly digest: string }
  | { readonly kind: 'service'; readonly serviceType: string }

/** Asks everybody who listens to answer once what came before is taken in. */
interface Question {
  readonly kind: 'heard?'
  readonly id: string
  readonly answerTo: string
}

const channel = 'crossfade_mcp_changed'
const answerChannel = 'crossfade_mcp_heard_'
const applicationName = 'crossfade mcp changes'
/** Whoever has not taken in a change by then is not waited for any longer. */
export const heardMsMax = 1_000
/** One who only just begins to listen has missed the question: it is asked again, and who has gone meanwhile is left out. */
const askAgainMs = 100
/** A connection that died without a word is noticed by this. */
const heartbeatMs = 5_000
const heartbeatTimeoutMs = 5_000
const reconnectMsMin = 100
const reconnectMsMax = 5_000

/**
 * Tells of every change from now on, in the order of their commits. A promise that `onChange` returns is what `everybodyHeard` of others waits for. When the connection breaks, `onLost` is called at once, and again when it is back:
 * whatever was held or read in between may be out of date, so caches must be dropped both times. Reconnects by itself until closed.
 * Rejects with CF12502 when the first connection can't be made.
 */
export async function listenToChanges(
  url: string,
  onChange: (change: Change) => unknown,
  onLost: () => void,
): Promise<ChangeListening> {
  const listener = new ChangeListener(url, onChange, onLost)
  try {
    await listener.connect()
  } catch (error) {
    throw fail('CF12502', { reason: reasonOf(error) }, error)
  }
  return listener
}

export interface ChangeListening {
  /** Whether changes are heard of now; what it is may be asked within `onLost`. */
  readonly listening: boolean
  /**
   * Resolves with true once everybody who listens on this database, in whichever process, has taken in every change that was committed before the call: whoever is asked then knows of them.
   * With false when somebody has not within `heardMsMax`, or when changes are not heard of here; who hears of none believes nothing unasked anyway. Never rejects. Calls at the same time share
   * a question, so there is one at a time however many they are.
   */
  everybodyHeard(): Promise<boolean>
  close(): Promise<void>
}

/** Says that what is held of a user is out of date; heard when the client's transaction commits. For what no trigger tells of. */
export async function tellOfUser(client: pg.ClientBase, userId: string): Promise<void> {
  const change: Change = { kind: 'user', userId }
  await client.query('SELECT pg_notify($1, $2)', [channel, JSON.stringify(change)])
}

class ChangeListener implements ChangeListening {
  readonly #url: string
  readonly #onChange: (change: Change) => unknown
  readonly #onLost: () => void
  #client: pg.Client | undefined
  /** Of the connection's server process: by it everybody is known. */
  #pid = 0
  #heartbeat: NodeJS.Timeout | undefined
  #retry: NodeJS.Timeout | undefined
  #reconnectMs = reconnectMsMin
  #closed = false
  /** Changes that are being taken in. */
  readonly #taking = new Set<Promise<void>>()
  readonly everybodyHeard = oneAtATime(() => this.#ask())
  #asked: Asked | null = null

  constructor(url: string, onChange: (change: Change) => unknown, onLost: () => void) {
    this.#url = url
    this.#onChange = onChange
    this.#onLost = onLost
  }

  get listening(): boolean {
    return this.#client !== undefined
  }

  async connect(): Promise<void> {
    const client = new pg.Client({
      ...connectionOptions(this.#url),
      application_name: applicationName,
      query_timeout: heartbeatTimeoutMs,
      keepAlive: true,
    })
    let lost = false
    const lose = () => {
      if (lost) return
      lost = true
      if (this.#client === client) this.#lost()
      client.end().catch(() => undefined)
    }
    client.on('error', lose)
    client.on('end', lose)
    client.on('notification', ({ channel: on, payload = '' }) => {
      if (on === channel) this.#tell(client, payload)
      else this.#answered(payload)
    })
    try {
      await client.connect()
      const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
      this.#pid = rows[0]!.pid
      await client.query(`LISTEN ${channel}; LISTEN ${answerChannel}${this.#pid}`)
      if (lost || this.#closed) throw new Error('the connection broke at once')
    } catch (error) {
      lost = true
      await client.end().catch(() => undefined)
      throw error
    }
    this.#client = client
    this.#reconnectMs = reconnectMsMin
    this.#heartbeat = setInterval(() => client.query('SELECT 1').catch(lose), heartbeatMs)
    this.#heartbeat.unref()
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#heartbeat)
    clearTimeout(this.#retry)
    const client = this.#client
    this.#client = undefined
    await client?.end().catch(() => undefined)
  }

  #lost(): void {
    clearInterval(this.#heartbeat)
    this.#client = undefined
    if (this.#closed) return
    this.#onLost()
    this.#reconnectLater()
  }

  #reconnectLater(): void {
    const waitMs = this.#reconnectMs
    this.#reconnectMs = Math.min(waitMs * 2, reconnectMsMax)
    this.#retry = setTimeout(() => {
      this.connect().then(
        // Changes between the break and now were told to nobody.
        () => this.#onLost(),
        () => {
          if (!this.#closed) this.#reconnectLater()
        },
      )
    }, waitMs)
    this.#retry.unref()
  }

  #tell(client: pg.Client, payload: string): void {
    const told = toldBy(payload)
    // Not from our triggers: any role of the database may notify. What is cached is dropped, which is always right.
    if (told === null) return this.#onLost()
    if (told.kind === 'heard?') return void this.#answer(client, told)
    const taking = this.#onChange(told)
    // A listener that gives something else than a promise has taken it in.
    if (!(taking instanceof Promise)) return
    const settled: Promise<void> = taking.catch(() => undefined).finally(() => this.#taking.delete(settled))
    this.#taking.add(settled)
  }

  async #answer(client: pg.Client, { id, answerTo }: Question): Promise<void> {
    if (typeof answerTo !== 'string' || !answerTo.startsWith(answerChannel)) return
    await Promise.all(this.#taking)
    // A connection that broke meanwhile has told of it by itself.
    await client.query('SELECT pg_notify($1, $2)', [answerTo, `${id} ${this.#pid}`]).catch(() => undefined)
  }

  #answered(payload: string): void {
    const [id, pid] = payload.split(' ')
    const asked = this.#asked
    if (asked === null || asked.id !== id) return
    asked.answered.add(Number(pid))
    if (isAnswered(asked)) asked.done.resolve(true)
  }

  async #ask(): Promise<boolean> {
    const client = this.#client
    if (client === undefined) return false
    const question: Question = { kind: 'heard?', id: randomUUID(), answerTo: `${answerChannel}${this.#pid}` }
    const asked: Asked = { id: question.id, answered: new Set(), listeners: null, done: Promise.withResolvers() }
    this.#asked = asked
    const deadline = performance.now() + heardMsMax
    try {
      while (performance.now() < deadline) {
        const values = [channel, JSON.stringify(question), applicationName]
        const { rows } = await client.query<{ listeners: number[] }>(askStatement, values)
        asked.listeners = rows[0]!.listeners
        if (isAnswered(asked)) return true
        const waitMs = Math.max(0, Math.min(askAgainMs, deadline - performance.now()))
        if (await Promise.race([asked.done.promise, sleep(waitMs, false, { ref: false })])) return true
      }
      return false
    } catch {
      return false
    } finally {
      this.#asked = null
    }
  }
}

function toldBy(payload: string): Change | Question | null {
  try {
    const told = JSON.parse(payload) as Change | Question | null
    return typeof told?.kind === 'string' ? told : null
  } catch {
    return null
  }
}

interface Asked {
  readonly id: string
  /** Process ids of the connections whose answers have come. */
  readonly answered: Set<number>
  /** Of all who listen; null: not known yet. */
  listeners: readonly number[] | null
  readonly done: PromiseWithResolvers<true>
}

function isAnswered({ answered, listeners }: Asked): boolean {
  return listeners?.every((pid) => answered.has(pid)) ?? false
}

/** Everybody sees who is connected to a database, and under which name. */
const askStatement = `SELECT pg_notify($1, $2), array(SELECT pid FROM pg_stat_activity
  WHERE datname = current_database() AND application_name = $3) AS listeners`
