import { fail, reasonOf } from '@crossfade/model/failure.ts'
import type { Routing } from '@crossfade/routing/routing.ts'
import { backoffMs, pause } from './backoff.ts'
import { EventStreamParser } from './event-stream.ts'
import { type RoutingSource, readRouting } from './routing-source.ts'

/** How long one request for the routing may take. */
const requestMsMax = 5_000
/** A stream that is silent for so long is taken for dead; the server sends comments more often. */
const silenceMsMax = 45_000
const retryFirstMs = 100
const retryMaxMs = 5_000

export interface HttpRoutingOptions {
  /** The migration at the API: `https://host:7070/api/v1/migrations/mig_…`. */
  readonly url: string
  /** Bearer token; a viewer's is enough. Null where the API asks for none. */
  readonly token?: string | null
  /** For tests. */
  readonly fetch?: typeof fetch
}

/** The routing from Crossfade's API: read once, then followed by server-sent events, which are taken up again whenever they break. */
export function httpRouting(options: HttpRoutingOptions): RoutingSource {
  return new HttpRouting(options)
}

class HttpRouting implements RoutingSource {
  readonly #url: string
  readonly #headers: Readonly<Record<string, string>>
  readonly #fetch: typeof fetch
  readonly #closed = new AbortController()
  #listener: (routing: Routing) => void = () => undefined
  #following: Promise<void> = Promise.resolve()
  #refreshing: Promise<void> | null = null

  constructor({ url, token, fetch: given }: HttpRoutingOptions) {
    this.#url = `${url.replace(/\/+$/, '')}/routing`
    this.#headers = token ? { authorization: `Bearer ${token}` } : {}
    this.#fetch = given ?? fetch
  }

  async start(listener: (routing: Routing) => void): Promise<void> {
    this.#listener = listener
    try {
      await this.#read()
    } catch (error) {
      throw fail('CF7101', { reason: reasonOf(error) }, error)
    }
    this.#following = this.#follow()
  }

  refresh(): Promise<void> {
    this.#refreshing ??= this.#read()
      .catch(() => undefined)
      .finally(() => {
        this.#refreshing = null
      })
    return this.#refreshing
  }

  async close(): Promise<void> {
    this.#closed.abort()
    await this.#following
  }

  async #read(): Promise<void> {
    const signal = AbortSignal.any([this.#closed.signal, AbortSignal.timeout(requestMsMax)])
    const response = await this.#fetch(this.#url, { headers: { ...this.#headers, accept: 'application/json' }, signal })
    if (!response.ok) {
      await response.body?.cancel()
      throw new Error(`the API answered ${response.status}`)
    }
    this.#listener(readRouting(await response.json()))
  }

  async #follow(): Promise<void> {
    const { signal } = this.#closed
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        // A routing that came while the stream was down is caught up by reading it first.
        if (attempt > 0) await this.#read()
        await this.#stream(() => {
          attempt = 0
        })
      } catch {
        // The program goes on with the routing it has; the fences hold.
      }
      if (!signal.aborted) await pause(backoffMs(attempt, retryFirstMs, retryMaxMs), signal)
    }
  }

  async #stream(onEvent: () => void): Promise<void> {
    const silence = new AbortController()
    const signal = AbortSignal.any([this.#closed.signal, silence.signal])
    let timer = setTimeout(() => silence.abort(), silenceMsMax)
    const alive = () => {
      clearTimeout(timer)
      timer = setTimeout(() => silence.abort(), silenceMsMax)
      timer.unref()
    }
    timer.unref()
    try {
      const response = await this.#fetch(`${this.#url}/events`, {
        headers: { ...this.#headers, accept: 'text/event-stream' },
        signal,
      })
      if (!response.ok || !response.body) {
        await response.body?.cancel()
        throw new Error(`the API answered ${response.status}`)
      }
      const parser = new EventStreamParser()
      for await (const piece of response.body) {
        alive()
        for (const { event, data } of parser.push(piece as Uint8Array)) {
          if (event === 'routing') this.#listener(readRouting(JSON.parse(data)))
          onEvent()
        }
      }
    } finally {
      clearTimeout(timer)
    }
  }
}
