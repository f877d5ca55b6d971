// Stands where the API will be: loads it beside what is served, again and again until it could be, and answers for it until then.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Failure, fail } from '@crossfade/model/failure.ts'
import type { GatewayApi } from './api-parts.ts'

/** The API is loaded when it is first asked for, or this long after the start: instances are served from the first moment. */
const unaskedMsMax = 1_000
/** An API that could not be loaded is tried again after this, doubled each time up to the most. */
export const reloadMsFirst = 1_000
export const reloadMsMax = 30_000

export interface ApiWhenLoaded {
  /** Answers by the API, waiting while it is being loaded; with CF14018 and the time of the next attempt while it can't be. */
  route(request: IncomingMessage, response: ServerResponse): void
  /** No further attempt; resolves when one that runs has ended. Closes nothing that was loaded. Idempotent. */
  close(): Promise<void>
}

export interface ApiWhenLoadedOptions {
  /** Loads it. Called again after it has rejected: it must leave nothing open then. */
  readonly load: () => Promise<Pick<GatewayApi, 'routing'>>
  /** Told of every attempt that failed. */
  readonly onFailure: (failure: { readonly error: unknown; readonly attempt: number; readonly retryMs: number }) => void
  readonly reloadMsFirst?: number
}

type State =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'loading'; readonly ended: Promise<void> }
  | { readonly kind: 'loaded'; readonly api: Pick<GatewayApi, 'routing'> }
  | { readonly kind: 'failed'; readonly reason: string; readonly retryAtMs: number }

/** Loads the API soon, or at once when it is asked for. */
export function apiWhenLoaded(options: ApiWhenLoadedOptions): ApiWhenLoaded {
  let state: State = { kind: 'waiting' }
  let attempt = 0
  let closed = false
  let timer = setTimeout(load, unaskedMsMax)

  function load(): Promise<void> {
    if (state.kind === 'loading') return state.ended
    clearTimeout(timer)
    attempt += 1
    const ended = options.load().then(
      (api) => {
        state = { kind: 'loaded', api }
      },
      (error: unknown) => {
        const retryMs = Math.min((options.reloadMsFirst ?? reloadMsFirst) * 2 ** (attempt - 1), reloadMsMax)
        state = { kind: 'failed', reason: shownReason(error), retryAtMs: performance.now() + retryMs }
        options.onFailure({ error, attempt, retryMs })
        if (!closed) timer = setTimeout(load, retryMs)
      },
    )
    state = { kind: 'loading', ended }
    return ended
  }

  function route(request: IncomingMessage, response: ServerResponse): void {
    if (state.kind === 'loaded') return state.api.routing(request, response)
    // Who asks between two attempts is not made to wait for the next one, and does not hasten it.
    if (state.kind === 'failed' || closed) return refuse(request, response)
    void load().then(() => (state.kind === 'loaded' ? state.api.routing(request, response) : refuse(request, response)))
  }

  function refuse(request: IncomingMessage, response: ServerResponse): void {
    const waitMs = state.kind === 'failed' ? Math.max(0, state.retryAtMs - performance.now()) : 0
    const seconds = Math.max(1, Math.ceil(waitMs / 1_000))
    const failure = fail('CF14018', {
      reason: state.kind === 'failed' ? state.reason : 'the process is ending',
      seconds,
    })
    const problem = { code: failure.code, message: failure.message, remedy: failure.remedy, retry: failure.retry }
    const path = request.url!.split('?')[0]
    // The process lives and serves instances; but who has a choice should ask another one.
    if (path === '/healthz') return answer(response, 200, { alive: true, api: problem })
    const body = path === '/readyz' ? { ready: false, api: problem } : problem
    answer(response, 503, body, { 'retry-after': String(seconds) })
  }

  return {
    route,
    async close() {
      closed = true
      clearTimeout(timer)
      if (state.kind === 'loading') await state.ended
    },
  }
}

/** Why, for anybody who asks: of a failure without a code only its kind, for its words are meant for the log. */
function shownReason(error: unknown): string {
  if (error instanceof Failure) return error.message.replace(/\.$/, '')
  const { code, name } = error as NodeJS.ErrnoException
  return code ?? name ?? 'unknown'
}

function answer(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = JSON.stringify(body)
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  })
  response.end(text)
}
