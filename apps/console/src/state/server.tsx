import { useCallback, useEffect, useState } from 'react'
import { storedToken, storeToken } from '../api/client.ts'
import type { ServicesSession } from '../services/contract.ts'

export type Area = 'services' | 'migrations'

/** What this server serves, and who is signed in to its services. */
export interface ServerState {
  readonly areas: readonly Area[]
  /** Null where services are not served. */
  readonly services: ServicesSession | null
  /** Asks again; resolves when the answer is in place. */
  readonly reload: () => Promise<void>
}

type Known = Omit<ServerState, 'reload'>

const retryMs = 1_000

/** Asks the server what it serves, now and when `token` changes; null until it has answered. */
export function useServer(token: string | null): { readonly server: ServerState | null; readonly silent: boolean } {
  const [known, setKnown] = useState<Known | null>(null)
  const [silent, setSilent] = useState(false)
  const reload = useCallback(async () => {
    const answer = await ask()
    setSilent(answer === null)
    if (answer !== null) setKnown(answer)
  }, [])
  // biome-ignore lint/correctness/useExhaustiveDependencies: another token may be another's
  useEffect(() => {
    void reload()
  }, [token, reload])
  useEffect(() => {
    if (!silent) return
    const timer = setInterval(() => void reload(), retryMs)
    return () => clearInterval(timer)
  }, [silent, reload])
  return { server: known && { ...known, reload }, silent }
}

/** Null while the server does not answer. */
async function ask(): Promise<Known | null> {
  const token = storedToken()
  try {
    const response = await fetch('/api/v1/session', {
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
    })
    if (response.status >= 500) return null
    const answer = (await response.json()) as Partial<ServicesSession> & { readonly code?: string }
    if (response.status === 401 && token !== null && answer.code === 'CF12501') {
      // A token of a server of migrations that ran at this address before.
      storeToken(null)
      return ask()
    }
    // The server of migrations knows no areas, or wants a token before it says anything.
    if (!Array.isArray(answer.areas)) return { areas: ['migrations'], services: null }
    return { areas: answer.areas, services: answer as ServicesSession }
  } catch {
    return null
  }
}
