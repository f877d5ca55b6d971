import type { Clock } from '@crossfade/model/clock.ts'
import { fail } from '@crossfade/model/failure.ts'

/**
 * Runs `work` but waits for it only until the deadline (milliseconds since 1970); then rejects with the retryable CF5002. The work itself is not stopped: what it may still do
 * must be refused by its epoch.
 */
export async function withDeadline<T>(
  ports: { readonly clock: Clock },
  deadline: number,
  what: string,
  work: () => Promise<T>,
): Promise<T> {
  const left = deadline - ports.clock.now()
  if (left <= 0) throw tooLate(what)
  const done = new AbortController()
  const expiry = ports.clock.sleep(left, done.signal).then(
    () => {
      throw tooLate(what)
    },
    () => new Promise<never>(() => undefined),
  )
  try {
    return await Promise.race([work(), expiry])
  } finally {
    done.abort(new Error('done'))
  }
}

function tooLate(what: string) {
  return fail('CF5002', { units: what, reason: `${what} was not done by the deadline` })
}
