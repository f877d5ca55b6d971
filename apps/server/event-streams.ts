import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { fail } from '@crossfade/model/failure.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'

/** A comment line this often keeps proxies from closing a quiet stream, and a token that was taken back is noticed. */
const heartbeatMs = 15_000
/** A reader that is this far behind is cut off; it comes back with `Last-Event-ID` and reads what it missed. */
export const unsentBytesMax = 4 * 1024 * 1024
/** Open at once in one server. */
export const streamsMax = 500
/** How long a reader waits before it comes back. */
const reconnectMs = 1_000

export interface EventStreamsOptions {
  /** Aborts when the server stops: all streams end. */
  readonly closing: AbortSignal
  /** Whether the one who opened a stream may go on reading it. */
  readonly mayGoOn: (request: FastifyRequest) => boolean
}

/** The open server-sent event streams of one server. */
export class EventStreams {
  readonly #options: EventStreamsOptions
  readonly #open = new Set<EventStream>()

  constructor(options: EventStreamsOptions) {
    this.#options = options
    options.closing.addEventListener('abort', () => {
      for (const stream of this.#open) stream.end()
    })
  }

  /** Answers with an event stream. `onEnd` is called once, when it is over for whatever reason. Throws CF7213 when there are too many. */
  open(request: FastifyRequest, reply: FastifyReply, onEnd: () => void): EventStream {
    if (this.#open.size >= streamsMax) throw fail('CF7213', { limit: streamsMax })
    const stream = new EventStream(reply)
    this.#open.add(stream)
    const heartbeat = setInterval(() => {
      if (this.#options.mayGoOn(request)) stream.comment('still here')
      else stream.end()
    }, heartbeatMs)
    const end = () => {
      clearInterval(heartbeat)
      this.#open.delete(stream)
      onEnd()
    }
    if (reply.raw.destroyed) end()
    else reply.raw.once('close', end)
    if (this.#options.closing.aborted) stream.end()
    return stream
  }
}

/** One answer that stays open and carries events to its reader; once it is over, sending does nothing. */
export class EventStream {
  readonly #response: ServerResponse

  constructor(reply: FastifyReply) {
    reply.hijack()
    this.#response = reply.raw
    this.#response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
    })
    this.#response.write(`retry: ${reconnectMs}\n\n`)
  }

  get isOver(): boolean {
    return this.#response.destroyed || this.#response.writableEnded
  }

  /** Writes one event; a reader that is too far behind is cut off instead. */
  send(name: string, data: unknown, id?: number): void {
    this.#write(`${id === undefined ? '' : `id: ${id}\n`}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`)
  }

  comment(text: string): void {
    this.#write(`: ${text}\n\n`)
  }

  /** Resolves once what was sent is on its way, or the stream is over. */
  async drained(): Promise<void> {
    if (this.isOver || !this.#response.writableNeedDrain) return
    const over = new AbortController()
    const stop = () => over.abort()
    this.#response.once('close', stop)
    await once(this.#response, 'drain', { signal: over.signal }).catch(() => undefined)
    this.#response.off('close', stop)
  }

  end(): void {
    if (!this.isOver) this.#response.end()
  }

  #write(text: string): void {
    if (this.isOver) return
    if (this.#response.writableLength > unsentBytesMax) this.#response.destroy()
    else this.#response.write(text)
  }
}
