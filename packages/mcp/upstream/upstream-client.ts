// The one way from the platform to upstreams: guarded addresses, pools, breakers, bounds. Knows requests and answers, not tools.
import { type Failure, fail } from '@crossfade/model/failure.ts'
import { connectMsMax, type GuardOptions, guardedConnector } from './address-guard.ts'
import type { BuiltRequest } from './build-request.ts'
import { type AnswerHeaders, type Exchanged, exchange } from './exchange.ts'
import {
  type BreakerReport,
  createOriginBreakers,
  failuresToOpen,
  type OriginBreakers,
  type Verdict,
} from './origin-breakers.ts'
import { callsPerOriginMax, createOriginPools } from './origin-pools.ts'
import { unpack } from './unpack.ts'

/** From a call's beginning to its end, retries included. */
export const callMsMax = 60_000
/** Until an answer's headers are there. */
export const headersMsMax = 30_000
/** Between two pieces of an answer. */
export const pieceMsMax = 15_000
/** Of one answer, before and after unpacking. */
export const responseBytesMax = 8_388_608

export interface UpstreamClientOptions extends GuardOptions {
  readonly callMsMax?: number
  readonly headersMsMax?: number
  readonly pieceMsMax?: number
  readonly responseBytesMax?: number
  /** How long a breaker stays open, at first and at most. */
  readonly breakerOpenMs?: { readonly first: number; readonly max: number }
  readonly onBreakerChange?: (report: BreakerReport) => void
}

/** Who a request is for: what limits and breakers count by. Holds no secret. */
export interface RequestOwner {
  readonly serviceType: string
  readonly instanceId: string
}

export type Sent =
  | { readonly kind: 'answer'; readonly status: number; readonly headers: AnswerHeaders; readonly body: Buffer }
  /** `mayRepeat`: nothing was answered, so that a read may be tried again. */
  | { readonly kind: 'failed'; readonly failure: Failure; readonly status: number; readonly mayRepeat: boolean }

export interface UpstreamClient {
  /** One request, no retry, redirects as they come. Rejects only with the signal's reason. `deadlineMs` on the clock of `performance.now()`. */
  send(request: BuiltRequest, owner: RequestOwner, deadlineMs: number, signal: AbortSignal): Promise<Sent>
  /** When a call that begins now must be over. */
  deadline(): number
  breakers(): readonly BreakerReport[]
  readonly origins: number
  close(): Promise<void>
}

export function createUpstreamClient(options: UpstreamClientOptions = {}): UpstreamClient {
  const bytesMax = options.responseBytesMax ?? responseBytesMax
  const msMax = options.callMsMax ?? callMsMax
  const openMs = options.breakerOpenMs
  const pools = createOriginPools(
    guardedConnector({ ...options, connectMsMax: options.connectMsMax ?? connectMsMax }),
    options.headersMsMax ?? headersMsMax,
    options.pieceMsMax ?? pieceMsMax,
  )
  const breakers: OriginBreakers = createOriginBreakers(verdictOn, options.onBreakerChange, openMs)

  const send: UpstreamClient['send'] = async (request, { serviceType, instanceId }, deadlineMs, signal) => {
    const host = hostOf(request.origin)
    const pool = pools.acquire(request.origin)
    if (pool === null) return failed(fail('CF13319', { host, waitingMax: callsPerOriginMax }))
    const limits = { deadlineMs, bytesMax }
    try {
      const running = breakers.run(serviceType, request.origin, instanceId, () =>
        exchange(pool, request, limits, signal),
      )
      if (running === null) {
        const seconds = Math.ceil((openMs?.first ?? 2000) / 1000)
        return failed(fail('CF13318', { host, failures: failuresToOpen, seconds }))
      }
      const exchanged = await running
      if (exchanged.kind === 'trouble') return troubleOf(exchanged, host, msMax, bytesMax)
      const encoding = exchanged.headers['content-encoding']
      if (encoding === undefined) return exchanged
      return await unpacked(exchanged, String(encoding), host, bytesMax)
    } finally {
      pool.release()
    }
  }

  return {
    send,
    deadline: () => performance.now() + msMax,
    breakers: () => breakers.report(),
    get origins() {
      return pools.size
    },
    close: () => pools.close(),
  }
}

export function hostOf(origin: string): string {
  return origin.slice(origin.indexOf('//') + 2)
}

/** Whether the upstream as a whole is in trouble. A refused key, a missing thing, a bad argument say that it is well. */
function verdictOn(exchanged: Exchanged): Verdict {
  if (exchanged.kind === 'answer') {
    if (exchanged.status < 500 || exchanged.status === 501) return 'good'
    return exchanged.status >= 502 && exchanged.status <= 504 ? 'bad' : 'doubtful'
  }
  if (exchanged.trouble === 'too-large' || exchanged.trouble === 'refused-address') return 'good'
  return exchanged.trouble === 'unreachable' ? 'bad' : 'doubtful'
}

function failed(failure: Failure, status = 0, mayRepeat = false): Sent {
  return { kind: 'failed', failure, status, mayRepeat }
}

function troubleOf(
  { trouble, reason, answered, status, failure }: Extract<Exchanged, { kind: 'trouble' }>,
  host: string,
  milliseconds: number,
  bytesMax: number,
): Sent {
  if (failure !== undefined) return failed(failure, status)
  switch (trouble) {
    case 'timeout':
      return failed(fail('CF13312', { host, milliseconds }), status)
    case 'broken':
      return failed(fail('CF13313', { host, reason }), status, !answered)
    case 'garbage':
      return failed(fail('CF13314', { host, reason }), status)
    case 'too-large':
      return failed(fail('CF13315', { host, bytesMax, how: 'fewer items, fewer fields, or a narrower search' }), status)
    default:
      return failed(fail('CF13311', { host, reason }), status, !answered)
  }
}

async function unpacked(
  answer: Extract<Exchanged, { kind: 'answer' }>,
  encoding: string,
  host: string,
  bytesMax: number,
): Promise<Sent> {
  const { status, headers } = answer
  const bytes = await unpack(answer.body, encoding, bytesMax)
  if (bytes.kind === 'bytes') return { kind: 'answer', status, headers, body: bytes.bytes }
  if (bytes.kind === 'broken') return failed(fail('CF13316', { host, encoding, reason: bytes.reason }), status)
  return failed(fail('CF13315', { host, bytesMax, how: 'fewer items, fewer fields, or a narrower search' }), status)
}
