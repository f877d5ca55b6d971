import { fail } from '@crossfade/model/failure.ts'
import type { Agent, buildConnector } from 'undici'
import type { Severity } from './rules.ts'

/** The receiver gets this long to answer. */
export const sendMsMax = 5_000

/** What a webhook is sent, as JSON. The same `id` and `state` may come twice, never in another order. */
export interface AlertMessage {
  readonly id: number
  readonly rule: string
  readonly subject: string
  readonly severity: Severity
  readonly state: 'open' | 'closed'
  readonly text: string
  readonly at: string
}

export interface AlertReceiver {
  /** Rejects with CF14520 unless the message was taken. */
  send(message: AlertMessage, signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

/**
 * Posts alerts to a URL; `connect` decides where that may be (`guardedConnector` of packages/mcp/upstream). The URL itself is a secret with many receivers, so no failure tells it.
 * No redirect is followed.
 */
export function webhook(url: string, connect: buildConnector.connector): AlertReceiver {
  // Loaded with the first alert: a start does without it.
  let loading: Promise<{ readonly request: typeof import('undici').request; readonly agent: Agent }> | null = null
  const load = async () => {
    const { Agent, request } = await import('undici')
    return { request, agent: new Agent({ connect, connections: 1, keepAliveTimeout: 1 }) }
  }
  return {
    async send(message, signal) {
      loading ??= load()
      const { request, agent } = await loading
      const limit = AbortSignal.timeout(sendMsMax)
      const answer = await request(url, {
        dispatcher: agent,
        method: 'POST',
        headers: { 'content-type': 'application/json', 'user-agent': 'crossfade-alerts' },
        body: JSON.stringify(message),
        signal: AbortSignal.any([signal, limit]),
      }).catch((error: unknown) => {
        const code = (error as { code?: unknown }).code
        const reason = limit.aborted
          ? `no answer within ${sendMsMax} ms`
          : typeof code === 'string'
            ? code
            : 'no answer'
        throw fail('CF14520', { reason })
      })
      answer.body.on('error', () => undefined).destroy()
      if (answer.statusCode < 200 || answer.statusCode > 299)
        throw fail('CF14520', { reason: `it answered ${answer.statusCode}` })
    },
    close: async () => (await loading)?.agent.destroy(),
  }
}
