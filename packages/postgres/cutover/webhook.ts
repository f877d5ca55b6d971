import { fail, reasonOf } from '@crossfade/model/failure.ts'
import { processSecrets, resolveSecret } from '../connection/secret.ts'
import type { HookContext, HookMoment, WebhookHook } from './hooks.ts'

/** Characters of a refusal's body that the failure quotes. */
const bodyShownMax = 200

/**
 * Tells a URL about the moment: POST with a JSON body. The secret, where there is one, is the bearer token (`holds: 'password'`) or the URL itself.
 * Anything but a 2xx within the hook's time rejects with CF5112. May be sent more than once for the same epoch.
 */
export async function callWebhook(hook: WebhookHook, moment: HookMoment, context: HookContext): Promise<void> {
  const secret = hook.secret === null ? null : resolveSecret(hook.secret, context.secrets ?? processSecrets)
  const url = hook.secret?.holds === 'url' ? secret! : hook.url
  // A URL that is itself a secret is named by its host alone.
  const address = URL.canParse(url)
    ? hook.secret?.holds === 'url'
      ? new URL(url).origin
      : withoutCredentials(url)
    : hook.url
  const { migration, from, to, units, epoch } = context
  let response: Response
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'idempotency-key': `${migration}-${epoch}-${moment}`,
        ...(hook.secret?.holds === 'password' ? { authorization: `Bearer ${secret}` } : {}),
      },
      body: JSON.stringify({ event: `cutover.${moment}`, migration, from, to, units, epoch }),
      redirect: 'error',
      signal: AbortSignal.timeout(hook.timeoutMs),
    })
  } catch (error) {
    const reason =
      error instanceof DOMException && error.name === 'TimeoutError'
        ? `no answer within ${hook.timeoutMs} ms`
        : causeOf(error)
    throw fail('CF5112', { address, reason })
  }
  const body = await response.text().catch(() => '')
  if (!response.ok)
    throw fail('CF5112', { address, reason: `status ${response.status} ${body.slice(0, bodyShownMax)}`.trim() })
}

function causeOf(error: unknown): string {
  return reasonOf(error instanceof Error && error.cause !== undefined ? error.cause : error)
}

function withoutCredentials(url: string): string {
  const { origin, pathname } = new URL(url)
  return `${origin}${pathname}`
}
