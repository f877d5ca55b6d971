import { useCallback, useEffect, useState } from 'react'
import { ApiError, call } from '../api/client.ts'

export interface Loaded<T> {
  readonly data: T | null
  /** The latest trouble; the data of before stays. */
  readonly error: unknown
  readonly reload: () => void
}

/** Reads `path` now and whenever `version` changes; tries again every few seconds while the server does not answer or says that it may do so later. */
export function useData<T>(path: string, version: unknown = 0): Loaded<T> {
  const [state, setState] = useState<{ path: string; data: T | null; error: unknown }>({
    path,
    data: null,
    error: null,
  })
  const [round, setRound] = useState(0)
  // biome-ignore lint/correctness/useExhaustiveDependencies: `version` and `round` say when to read again
  useEffect(() => {
    const stopped = new AbortController()
    let retry: ReturnType<typeof setTimeout>
    call<T>(path, { signal: stopped.signal }).then(
      (data) => setState({ path, data, error: null }),
      (error: unknown) => {
        if (stopped.signal.aborted) return
        setState((before) => ({ path, data: before.path === path ? before.data : null, error }))
        const isLasting = error instanceof ApiError && !error.problem.retry && error.status >= 400 && error.status < 500
        if (!isLasting) retry = setTimeout(() => setRound((value) => value + 1), 3_000)
      },
    )
    return () => {
      stopped.abort()
      clearTimeout(retry)
    }
  }, [path, version, round])
  const reload = useCallback(() => setRound((value) => value + 1), [])
  return { data: state.path === path ? state.data : null, error: state.error, reload }
}
