// One check of one service: a few attempts, and a verdict.
import type { Service } from '@crossfade/catalog/catalog.ts'
import type { Clock } from '@crossfade/model/clock.ts'
import type { Probe } from './probe.ts'

/** Attempts of one check: a service is failing when all of them failed. */
export const attemptsMax = 3
/** An attempt that takes longer has failed. */
export const attemptMsMax = 10_000
/** Rest before the second attempt, doubled before the third; each a random half to all of it. */
export const attemptRestMs = 1_000

export type Check =
  | { readonly healthy: true; readonly responseTimeMs: number; readonly statusCode: number }
  /** `unreachable`: no machine answered at all, so that the trouble may be our own network. */
  | { readonly healthy: false; readonly responseTimeMs: number; readonly reason: string; readonly unreachable: boolean }

/** What is asked for a service's health; null for one that has nothing to ask: it is part of Crossfade, or its address is each user's own. */
export function healthUrl(service: Service): string | null {
  const { baseUrl, healthCheckPath, source, variables } = service.config
  if (source.kind === 'built-in') return null
  let url = source.kind === 'remote-mcp' ? source.url : baseUrl
  if (healthCheckPath !== undefined) url = `${url.replace(/\/$/, '')}${healthCheckPath}`
  url = url.replace(/\{(\w+)\}/g, (whole, name: string) => variables?.[name]?.default ?? whole)
  return url.includes('{') ? null : url
}

/**
 * Asks `url` up to `attemptsMax` times. Any answer below 500 is healthy: the service stands and speaks HTTP, whatever it thinks of a request without a key.
 * Rejects only with the signal's reason. The reason of a failure holds no text of the other side, and nothing of the URL.
 */
export async function checkService(
  probe: Probe,
  url: string,
  clock: Clock,
  signal: AbortSignal,
  limits: { readonly attemptMsMax?: number; readonly attemptRestMs?: number } = {},
): Promise<Check> {
  const longestMs = limits.attemptMsMax ?? attemptMsMax
  for (let attempt = 1; ; attempt += 1) {
    const check = await attemptOnce(probe, url, longestMs, signal)
    if (check.healthy || attempt === attemptsMax) return check
    const restMs = (limits.attemptRestMs ?? attemptRestMs) * 2 ** (attempt - 1)
    await clock.sleep(restMs * (0.5 + Math.random() / 2), signal)
  }
}

async function attemptOnce(probe: Probe, url: string, longestMs: number, signal: AbortSignal): Promise<Check> {
  const startedMs = performance.now()
  const tooLong = AbortSignal.timeout(longestMs)
  const took = () => Math.round(performance.now() - startedMs)
  try {
    const statusCode = await probe.ask(url, AbortSignal.any([signal, tooLong]))
    if (statusCode < 500) return { healthy: true, responseTimeMs: took(), statusCode }
    return { healthy: false, responseTimeMs: took(), reason: `answered ${statusCode}`, unreachable: false }
  } catch (trouble) {
    if (signal.aborted) throw signal.reason
    if (tooLong.aborted)
      return { healthy: false, responseTimeMs: took(), reason: `no answer within ${longestMs} ms`, unreachable: false }
    const code = codeOf(trouble)
    return { healthy: false, responseTimeMs: took(), reason: `no answer: ${code}`, unreachable: isUnreachable(code) }
  }
}

const unreachableCodes: ReadonlySet<string> = new Set([
  'ENOTFOUND',
  'EAI_AGAIN',
  'EAI_FAIL',
  'ENETUNREACH',
  'ENETDOWN',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'EADDRNOTAVAIL',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  // The name leads to no public address: a resolver of a closed network says so of everything.
  'CF13310',
])

/** Whether a trouble may as well be our own: no name, no way, nobody there. */
function isUnreachable(code: string): boolean {
  return unreachableCodes.has(code)
}

/** The code of a trouble or of what caused it. Nothing else of it is told: messages quote addresses and what the other side sent. */
function codeOf(trouble: unknown): string {
  for (let at = trouble, depth = 0; at instanceof Error && depth < 5; depth += 1) {
    const code = (at as { code?: unknown }).code
    if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,60}$/.test(code)) return code
    at = at instanceof AggregateError ? at.errors[0] : at.cause
  }
  return 'unknown trouble'
}
