import { useRef } from 'react'
import { type Loaded, useData } from '../state/use-data.ts'

/** As `useData`, but what was read before stays until the new is there: a list under a search field must not blink. */
export function useKept<T>(path: string, version: unknown = 0): Loaded<T> & { readonly isOld: boolean } {
  const loaded = useData<T>(path, version)
  const kept = useRef<T | null>(null)
  if (loaded.data !== null) kept.current = loaded.data
  return { ...loaded, data: loaded.data ?? kept.current, isOld: loaded.data === null }
}
