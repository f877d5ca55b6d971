// Carries out tools that are HTTP operations: request, limits, retries, redirects, result.
import { systemClock } from '@crossfade/model/clock.ts'
import { Failure, fail } from '@crossfade/model/failure.ts'
import type { Credential } from '../instances/session.ts'
import { answerResult, binaryBytesMax, textCharactersMax } from './answer-content.ts'
import { type BuiltRequest, type RequestPlan, requestPlan } from './build-request.ts'
import type { AnswerHeaders } from './exchange.ts'
import { failureOutcome, redact, statusFailure, withoutKey } from './failure-result.ts'
import { createInstanceLimits, waitAskedFor } from './instance-limits.ts'
import { lessAtOnce } from './next-page.ts'
import { secretsOf } from './place-credential.ts'
import type { ToolCall, ToolCaller, ToolOutcome } from './upstream.ts'
import { hostOf, responseBytesMax, type Sent, type UpstreamClient } from './upstream-client.ts'

/** Repeats of a read that was not answered. */
export const retriesMax = 2
/** Before the first repeat, on average; twice as long before the second. */
const retryMs = 200
/** Redirects within the same origin that are followed. */
const redirectsMax = 3

export interface HttpCallerOptions {
  readonly client: UpstreamClient
  readonly textCharactersMax?: number
  readonly binaryBytesMax?: number
  /** Average wait before the first repeat, in milliseconds. */
  readonly retryMs?: number
  /** Told of every call that ended, off no path: must not throw. For metrics. */
  readonly onCall?: (observation: CallObservation) => void
}

export interface CallObservation {
  readonly serviceType: string
  readonly tool: string
  readonly status: number
  readonly errorCode: string | null
  readonly milliseconds: number
  readonly retries: number
}

/** W3C Trace Context, version 00 and what later ones keep of it. */
const traceparentPattern = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

export function createHttpCaller(options: HttpCallerOptions): ToolCaller {
  const { client } = options
  const limits = createInstanceLimits()
  const sizes = {
    textCharactersMax: options.textCharactersMax ?? textCharactersMax,
    binaryBytesMax: options.binaryBytesMax ?? binaryBytesMax,
  }

  const call = async (toolCall: ToolCall): Promise<ToolOutcome> => {
    const beganMs = options.onCall === undefined ? 0 : performance.now()
    const progress = { retries: 0 }
    let outcome: ToolOutcome
    try {
      outcome = await carryOut(toolCall, progress)
    } catch (error) {
      if (toolCall.signal.aborted || !(error instanceof Failure)) throw error
      outcome = failureOutcome(error)
    }
    options.onCall?.({
      serviceType: toolCall.session.serviceType,
      tool: toolCall.tool.name,
      status: outcome.statusCode,
      errorCode: outcome.errorCode,
      milliseconds: performance.now() - beganMs,
      retries: progress.retries,
    })
    return outcome
  }

  const carryOut = async (toolCall: ToolCall, progress: { retries: number }): Promise<ToolOutcome> => {
    const { session, service, tool, signal } = toolCall
    const plan = requestPlan(tool, service.config)
    const opened = session.credential()
    const credential = opened instanceof Promise ? await opened : opened
    const request = plan.build(toolCall.arguments, session.settings.variables, credential)
    // Beside what the plan made, the trace is all that goes on of what the caller sent.
    if (toolCall.traceparent !== undefined && traceparentPattern.test(toolCall.traceparent)) {
      request.headers.push('traceparent', toolCall.traceparent)
    }
    const deadlineMs = client.deadline()
    for (;;) {
      const turn = takeTurn(toolCall)
      if (turn !== null) await turn
      let sent = await client.send(request, session, deadlineMs, signal)
      if (sent.kind === 'answer' && isRedirect(sent.status))
        sent = await follow(sent, request, plan, toolCall, deadlineMs)
      const mayRetry = tool.annotations.readOnlyHint && progress.retries < retriesMax && isWorthRetry(sent)
      if (!mayRetry) return outcomeOf(sent, toolCall, credential)
      const pauseMs = (options.retryMs ?? retryMs) * 2 ** progress.retries * (0.5 + Math.random())
      if (performance.now() + pauseMs >= deadlineMs) return outcomeOf(sent, toolCall, credential)
      progress.retries++
      await systemClock.sleep(pauseMs, signal)
    }
  }

  /** The wait for the instance's turn, null when it is now; throws CF13320 or CF13321 when it would be long. */
  const takeTurn = ({ session, service, signal }: ToolCall): Promise<void> | null => {
    const rate = service.config.rateLimit
    const turn = limits.turn(session.instanceId, session.credentialVersion, rate)
    if (turn.kind === 'go') return null
    if (turn.kind === 'wait') return systemClock.sleep(turn.milliseconds, signal)
    const seconds = Math.max(1, Math.ceil(turn.milliseconds / 1000))
    const details = { service: service.config.displayName, seconds }
    if (turn.kind === 'blocked') throw fail('CF13320', details)
    throw fail('CF13321', { ...details, requestsMax: rate?.requestsMax, windowMs: rate?.windowMs })
  }

  /**
   * Follows redirects of reads within the same origin, so that a renamed thing is found. To another origin nothing is ever sent: the credential was given
   * for this one. Not followed either when the credential stands in the address, which a redirect replaces.
   */
  const follow = async (
    redirect: Sent,
    request: BuiltRequest,
    plan: RequestPlan,
    { session, signal }: ToolCall,
    deadlineMs: number,
  ): Promise<Sent> => {
    let sent = redirect
    let current = request
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    if (!isRead || !plan.credentialInHeaders) return redirect
    for (let redirects = 0; redirects < redirectsMax; redirects++) {
      if (sent.kind === 'failed' || !isRedirect(sent.status)) return sent
      const target = redirectTarget(sent, current)
      if (target === null || target.origin !== current.origin) return sent
      current = { ...current, path: target.pathname + target.search }
      sent = await client.send(current, session, deadlineMs, signal)
    }
    return sent
  }

  const outcomeOf = (sent: Sent, toolCall: ToolCall, credential: Credential): ToolOutcome => {
    const { session, service, tool } = toolCall
    if (sent.kind === 'failed') {
      const { failure } = sent
      const isTooLarge = failure.code === 'CF13315'
      return failureOutcome(
        isTooLarge ? fail('CF13315', { ...failure.details, how: lessAtOnce(tool) }) : failure,
        sent.status,
      )
    }
    const { status, headers, body } = sent
    const name = service.config.displayName
    const waitMs = status < 400 ? null : waitAskedFor(status, headers, Date.now())
    if (waitMs !== null) {
      limits.block(session.instanceId, session.credentialVersion, waitMs)
      return failureOutcome(fail('CF13320', { service: name, seconds: Math.max(1, Math.ceil(waitMs / 1000)) }), status)
    }
    if (status >= 200 && status < 300) {
      const result = answerResult(
        withoutKey(body, credential),
        linkWithoutKey(headers, credential),
        status,
        tool,
        service.config.serviceType,
        sizes,
      )
      if (result !== null) return { result, statusCode: status, errorCode: null }
      const host = hostOf(service.config.baseUrl)
      const bytesMax = Math.min(responseBytesMax, sizes.textCharactersMax)
      return failureOutcome(fail('CF13315', { host, bytesMax, how: lessAtOnce(tool) }), status)
    }
    if (isRedirect(status)) return redirectOutcome(sent, service.config.displayName, credential)
    if (status === 401) session.credentialRefused()
    return failureOutcome(statusFailure(status, headers, body, service.config.serviceType, credential), status)
  }

  return { call, close: async () => {} }
}

/** Links are the only header that is told of. */
function linkWithoutKey(headers: AnswerHeaders, credential: Credential): AnswerHeaders {
  const { link } = headers
  return link === undefined ? headers : { ...headers, link: redact(String(link), secretsOf(credential)) }
}

/** Only what never reached the upstream, or what a proxy before it answered. */
function isWorthRetry(sent: Sent): boolean {
  if (sent.kind === 'failed') return sent.mayRepeat
  return (
    (sent.status === 502 || sent.status === 503 || sent.status === 504) && sent.headers['retry-after'] === undefined
  )
}

function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308
}

function redirectTarget(sent: Extract<Sent, { kind: 'answer' }>, request: BuiltRequest): URL | null {
  const location = sent.headers['location']
  const text = Array.isArray(location) ? location[0] : location
  const base = request.origin + request.path
  return text !== undefined && URL.canParse(text, base) ? new URL(text, base) : null
}

/** The address is told, for it may be a file that was asked for: signed links are made for whoever asked. */
function redirectOutcome(sent: Extract<Sent, { kind: 'answer' }>, host: string, credential: Credential): ToolOutcome {
  const header = sent.headers['location']
  const text = String((Array.isArray(header) ? header[0] : header) ?? 'nowhere')
  const location = redact(text.replace(/\p{Cc}+/gu, ''), secretsOf(credential)).slice(0, 2_000)
  return failureOutcome(fail('CF13317', { host, location }), sent.status)
}
