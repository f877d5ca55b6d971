import type { Agent } from 'undici'
import { type GuardOptions, guardedConnector } from './address-guard.ts'

type Undici = typeof import('undici')

export interface GuardedFetch {
  /** undici's fetch by way of the guard. */
  readonly fetch: Undici['fetch']
  /** Waits for requests under way. */
  close(): Promise<void>
  /** Cuts them off. */
  destroy(): Promise<void>
}

/** A fetch to public addresses alone (and `allowedPrivateHosts`). Its library, of which a call needs a fifth (call-libraries.ts), is loaded with the first request. */
export function guardedFetch(
  guard: GuardOptions,
  options: Omit<NonNullable<ConstructorParameters<typeof Agent>[0]>, 'connect'> = {},
): GuardedFetch {
  let loading: Promise<{ readonly fetch: Undici['fetch']; readonly agent: Agent }> | null = null
  const load = async () => {
    const { Agent, fetch } = await import('undici')
    return { fetch, agent: new Agent({ ...options, connect: guardedConnector(guard) }) }
  }
  return {
    async fetch(input, init) {
      loading ??= load()
      const { fetch, agent } = await loading
      return fetch(input, { ...init, dispatcher: agent })
    },
    close: async () => (await loading)?.agent.close(),
    destroy: async () => (await loading)?.agent.destroy(),
  }
}
