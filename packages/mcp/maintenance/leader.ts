import { type Clock, systemClock } from '@crossfade/model/clock.ts'
import type { Pool, PoolClient, QueryConfig } from 'pg'

/** Advisory locks of the platform: (family, lock). 17 is the writers' lock of migration 017. */
export const lockFamily = 1402
export const locks = { health: 1, keeper: 2, alerts: 3 } as const

/** Whoever does not lead asks again after this, so a leader that died is replaced within this and `silenceMsMax`. */
export const askMsMax = 5_000
/** A leader shows the server that it lives this often. */
export const beatMs = 5_000
/** A leader that the server does not hear for so long loses its connection, and the lock with it; one that the server does not answer for so long stops. */
export const silenceMsMax = 20_000

export interface LeadOptions {
  readonly pool: Pool
  readonly lock: number
  /** Runs while this process leads. Must end soon after the signal is aborted; runs again when it leads again. */
  readonly work: (signal: AbortSignal, connection: PoolClient) => Promise<void>
  /** Told of work that failed, and of a server that could not be asked: once, until both go well again. */
  readonly onTrouble?: ((error: unknown) => void) | undefined
  readonly clock?: Clock
  readonly askMsMax?: number
  readonly beatMs?: number
  readonly silenceMsMax?: number
}

export interface Leadership {
  readonly leads: boolean
  /** Stops the work and gives the lock back. Idempotent. */
  close(): Promise<void>
}

/**
 * Does `work` in one process at a time: whoever holds an advisory lock of PostgreSQL. It ends with the connection, so a leader that was killed is replaced at once,
 * and one that hangs or lost its network when the server has not heard it for `silenceMsMax`. Two may overlap for as long as the old one needs to notice: the work must bear that.
 * Takes one connection of the pool while it leads, and one for a moment when it asks. Never rejects.
 */
export function lead(options: LeadOptions): Leadership {
  const clock = options.clock ?? systemClock
  const closing = new AbortController()
  let leads = false
  let isTold = false
  const run = async () => {
    while (!closing.signal.aborted) {
      try {
        await tryToLead(options, closing.signal, (now) => {
          leads = now
        })
        isTold = false
      } catch (error) {
        if (!isTold && !closing.signal.aborted) options.onTrouble?.(error)
        isTold = true
      }
      const waitMs = (options.askMsMax ?? askMsMax) * (0.5 + Math.random() / 2)
      await clock.sleep(waitMs, closing.signal).catch(() => undefined)
    }
  }
  const running = run()
  return {
    get leads() {
      return leads
    },
    async close() {
      closing.abort()
      await running
    },
  }
}

async function tryToLead(options: LeadOptions, closing: AbortSignal, say: (leads: boolean) => void): Promise<void> {
  const silenceMs = options.silenceMsMax ?? silenceMsMax
  const connection = await options.pool.connect()
  const lost = new AbortController()
  const onEnd = () => lost.abort(new Error('the connection was lost'))
  connection.on('error', onEnd).on('end', onEnd)
  let beat: NodeJS.Timeout | undefined
  // A connection with settings and a lock of its own is given to nobody else: ending it gives the lock back.
  let isOurs = true
  try {
    const asked = await timed(connection, 'select pg_try_advisory_lock($1, $2) as taken', silenceMs, [
      lockFamily,
      options.lock,
    ])
    isOurs = (asked.rows[0] as { taken: boolean }).taken
    if (!isOurs) return
    await timed(connection, `set idle_session_timeout = ${Math.ceil(silenceMs)}`, silenceMs)
    beat = setInterval(() => {
      timed(connection, 'select 1', silenceMs).catch(onEnd)
    }, options.beatMs ?? beatMs)
    say(true)
    await options.work(AbortSignal.any([closing, lost.signal]), connection)
  } finally {
    say(false)
    clearInterval(beat)
    connection.off('error', onEnd).off('end', onEnd)
    if (isOurs) connection.on('error', () => undefined)
    connection.release(isOurs)
  }
}

function timed(connection: PoolClient, text: string, ms: number, values: unknown[] = []) {
  const query: QueryConfig & { query_timeout: number } = { text, values, query_timeout: ms }
  return connection.query(query)
}
