// What an upstream asks one instance to keep to: its published rate, and "not now" until a time. Per instance, because keys are.
import type { AnswerHeaders } from './exchange.ts'

/** Instances that are remembered; beyond, the one that called longest ago is forgotten. */
const instancesMax = 50_000
/** The longest wait that is believed and remembered. */
const waitMsMax = 3_600_000
/** What 429 without a time means. */
const waitMsDefault = 1_000
/** A call that may go within this time waits for its turn; others are told to come back. */
export const turnMsMax = 500

export type Turn =
  | { readonly kind: 'go' }
  /** Goes in so many milliseconds; the place is taken. */
  | { readonly kind: 'wait'; readonly milliseconds: number }
  | { readonly kind: 'blocked'; readonly milliseconds: number }
  | { readonly kind: 'used-up'; readonly milliseconds: number }

export interface InstanceLimits {
  /** Asks for one request's turn. `version` of the credential: a new key begins anew. */
  turn(instance: string, version: number, rate: Rate | undefined): Turn
  /** Remembers that the upstream wants no request of this instance for a while. */
  block(instance: string, version: number, milliseconds: number): void
}

export interface Rate {
  readonly requestsMax: number
  readonly windowMs: number
}

interface State {
  version: number
  tokens: number
  filledAtMs: number
  blockedUntilMs: number
}

/** A token bucket and a blocked-until per instance. `now` in milliseconds, ever growing. */
export function createInstanceLimits(now: () => number = () => performance.now()): InstanceLimits {
  // In the order of their last use.
  const states = new Map<string, State>()

  const stateOf = (instance: string, version: number): State => {
    let state = states.get(instance)
    if (state === undefined || state.version !== version) {
      state = { version, tokens: Number.POSITIVE_INFINITY, filledAtMs: now(), blockedUntilMs: 0 }
      states.delete(instance)
      states.set(instance, state)
      if (states.size > instancesMax) {
        const [oldest] = states.keys()
        if (oldest !== undefined) states.delete(oldest)
      }
    }
    return state
  }

  return {
    turn(instance, version, rate) {
      const known = states.get(instance)
      if (rate === undefined && known === undefined) return { kind: 'go' }
      const state = stateOf(instance, version)
      const at = now()
      if (state.blockedUntilMs > at) return { kind: 'blocked', milliseconds: state.blockedUntilMs - at }
      if (rate === undefined) return { kind: 'go' }
      const refilled = state.tokens + ((at - state.filledAtMs) * rate.requestsMax) / rate.windowMs
      state.tokens = Math.min(rate.requestsMax, refilled)
      state.filledAtMs = at
      if (state.tokens >= 1) {
        state.tokens--
        return { kind: 'go' }
      }
      const milliseconds = Math.ceil(((1 - state.tokens) * rate.windowMs) / rate.requestsMax)
      if (milliseconds > turnMsMax) return { kind: 'used-up', milliseconds }
      state.tokens--
      return { kind: 'wait', milliseconds }
    },
    block(instance, version, milliseconds) {
      const state = stateOf(instance, version)
      state.blockedUntilMs = Math.max(state.blockedUntilMs, now() + Math.min(milliseconds, waitMsMax))
    },
  }
}

/** How long the upstream wants no request, in milliseconds; null when it does not say so. `nowMs` since 1970. */
export function waitAskedFor(status: number, headers: AnswerHeaders, nowMs: number): number | null {
  const after = retryAfterMs(first(headers['retry-after']), nowMs)
  const isUsedUp = [headers['x-ratelimit-remaining'], headers['ratelimit-remaining']].some(
    (value) => first(value)?.trim() === '0',
  )
  // GitHub says 403 where others say 429; a 403 alone is about permissions.
  if (status !== 429 && !(status === 403 && (after !== null || isUsedUp)) && !(status === 503 && after !== null))
    return null
  if (after !== null) return after
  const reset = first(headers['x-ratelimit-reset']) ?? first(headers['ratelimit-reset'])
  return resetMs(reset, nowMs) ?? waitMsDefault
}

function retryAfterMs(text: string | undefined, nowMs: number): number | null {
  if (text === undefined) return null
  if (/^\s*\d+(?:\.\d+)?\s*$/.test(text)) return bounded(Number(text) * 1000)
  const date = Date.parse(text)
  return Number.isNaN(date) ? null : bounded(date - nowMs)
}

/** Some tell the second since 1970, some the millisecond, some how many seconds are left. */
function resetMs(text: string | undefined, nowMs: number): number | null {
  const value = Number(text)
  if (text === undefined || !Number.isFinite(value) || value < 0) return null
  if (value > 1e11) return bounded(value - nowMs)
  return value > 1e8 ? bounded(value * 1000 - nowMs) : bounded(value * 1000)
}

function bounded(milliseconds: number): number {
  return Math.min(waitMsMax, Math.max(0, milliseconds))
}

function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}
