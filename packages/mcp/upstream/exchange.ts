// One request and its answer over a pool: bounded in bytes and time, and cut off as soon as nobody waits for it.
import { Failure, reasonOf } from '@crossfade/model/failure.ts'
import type { Dispatcher } from 'undici'
import type { BuiltRequest } from './build-request.ts'
import type { OriginPool } from './origin-pools.ts'

export type AnswerHeaders = Readonly<Record<string, string | string[] | undefined>>

/** What came of a request. `trouble` is about the way there; whatever an upstream says in HTTP is an `answer`. */
export type Exchanged =
  | { readonly kind: 'answer'; readonly status: number; readonly headers: AnswerHeaders; readonly body: Buffer }
  | {
      readonly kind: 'trouble'
      readonly trouble: 'refused-address' | 'unreachable' | 'timeout' | 'broken' | 'garbage' | 'too-large'
      readonly reason: string
      /** Whether bytes of an answer had arrived; if not, a read may be tried again. */
      readonly answered: boolean
      readonly status: number
      readonly failure?: Failure
    }

export interface ExchangeLimits {
  /** When the whole must be over, on the clock of `performance.now()`. */
  readonly deadlineMs: number
  readonly bytesMax: number
}

/** Sends `request`. Rejects with the signal's reason, at once, when the signal is aborted: the connection is closed then. */
export function exchange(
  { pool }: OriginPool,
  request: BuiltRequest,
  limits: ExchangeLimits,
  signal: AbortSignal,
): Promise<Exchanged> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error)
    new Exchange(limits, signal, resolve, reject).start(pool, request)
  })
}

class Exchange implements Dispatcher.DispatchHandler {
  readonly #limits: ExchangeLimits
  readonly #signal: AbortSignal
  #resolve: ((exchanged: Exchanged) => void) | null
  #reject: ((reason: unknown) => void) | null
  #controller: Dispatcher.DispatchController | null = null
  #timer: NodeJS.Timeout | null = null
  #status = 0
  #headers: AnswerHeaders = {}
  #chunks: Buffer[] = []
  #bytes = 0
  #isHead = false

  constructor(
    limits: ExchangeLimits,
    signal: AbortSignal,
    resolve: (exchanged: Exchanged) => void,
    reject: (reason: unknown) => void,
  ) {
    this.#limits = limits
    this.#signal = signal
    this.#resolve = resolve
    this.#reject = reject
  }

  start(pool: Dispatcher, { path, method, headers, body }: BuiltRequest): void {
    this.#isHead = method === 'HEAD'
    this.#signal.addEventListener('abort', this)
    const left = Math.max(0, this.#limits.deadlineMs - performance.now())
    this.#timer = setTimeout(() => this.#cutOff(() => this.#trouble('timeout', 'the time was over')), left)
    try {
      pool.dispatch({ path, method, headers, body, idempotent: false }, this)
    } catch (error) {
      this.#trouble('garbage', reasonOf(error))
    }
  }

  /** The signal's event: nobody waits any more. */
  handleEvent(): void {
    this.#cutOff(() => this.#reject?.(this.#signal.reason))
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    // Nobody waits any more for what was queued.
    if (this.#resolve === null) controller.abort(cutOffError())
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: AnswerHeaders): void {
    if (status < 200) return
    this.#status = status
    this.#headers = headers
    // The answer to HEAD announces what GET would have.
    const announced = this.#isHead ? 0 : Number(headers['content-length'])
    if (announced > this.#limits.bytesMax) this.#tooLarge()
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length
    if (this.#bytes > this.#limits.bytesMax) this.#tooLarge()
    else this.#chunks.push(chunk)
  }

  onResponseEnd(): void {
    const [first] = this.#chunks
    const body = this.#chunks.length === 1 ? first! : Buffer.concat(this.#chunks, this.#bytes)
    this.#finish({ kind: 'answer', status: this.#status, headers: this.#headers, body })
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const code = String((error as NodeJS.ErrnoException).code ?? '')
    const reason = reasonOf(error)
    const refusal = refusalIn(error)
    if (refusal !== null) this.#trouble('refused-address', reason, refusal)
    else if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') this.#trouble('timeout', reason)
    else if (code === 'UND_ERR_HEADERS_OVERFLOW' || error.name === 'HTTPParserError') this.#trouble('garbage', reason)
    else if (code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE' || code.startsWith('UND_ERR_RES')) {
      this.#trouble('broken', reason)
    } else if (this.#status !== 0) this.#trouble('broken', reason)
    else this.#trouble('unreachable', reason)
  }

  #tooLarge(): void {
    this.#cutOff(() => this.#trouble('too-large', `more than ${this.#limits.bytesMax} bytes`))
  }

  #cutOff(settle: () => void): void {
    if (this.#resolve === null) return
    settle()
    this.#detach()
    this.#controller?.abort(cutOffError())
  }

  #trouble(trouble: Extract<Exchanged, { kind: 'trouble' }>['trouble'], reason: string, failure?: Failure): void {
    const answered = this.#status !== 0
    const told = { kind: 'trouble', trouble, reason, answered, status: this.#status } as const
    this.#finish(failure === undefined ? told : { ...told, failure })
  }

  #finish(exchanged: Exchanged): void {
    this.#resolve?.(exchanged)
    this.#detach()
  }

  #detach(): void {
    this.#resolve = null
    this.#reject = null
    this.#chunks = []
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#signal.removeEventListener('abort', this)
  }
}

/** What undici is given as the reason; nobody sees it, for the exchange has been settled. */
function cutOffError(): Error {
  return new Error('the exchange was cut off')
}

/** The guard's refusal, wherever the connector has wrapped it. */
export function refusalIn(error: unknown): Failure | null {
  for (let current = error, depth = 0; current instanceof Error && depth < 5; depth++) {
    if (current instanceof Failure) return current
    if (current instanceof AggregateError) {
      const inner = current.errors.map(refusalIn).find((failure) => failure !== null)
      if (inner !== undefined) return inner
    }
    current = current.cause
  }
  return null
}
