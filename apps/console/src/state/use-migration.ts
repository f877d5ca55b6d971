import { useEffect, useRef, useState } from 'react'
import { call } from '../api/client.ts'
import type { JournalEntry, LiveEvent, MigrationDetail } from '../api/contract.ts'
import { follow } from '../api/live.ts'
import { useData } from './use-data.ts'

/** Journal entries kept in the page; older ones are read on the command line. */
export const entriesMax = 1_000
/** After a journal entry the whole migration is read again, but not more often than this. */
const rereadMs = 250
/** Shards, gates and workers are not in the live events; they are read this often. */
const refreshMs = 2_000

export interface LiveMigration {
  readonly migration: MigrationDetail | null
  readonly entries: readonly JournalEntry[]
  readonly error: unknown
  readonly connected: boolean
  /** When the page was last told the truth; milliseconds since 1970. */
  readonly asOf: number
  readonly reload: () => void
}

/** One migration, kept current by live events. */
export function useMigration(id: string): LiveMigration {
  const { data, error, reload } = useData<MigrationDetail>(`/migrations/${id}`)
  const [live, setLive] = useState<Partial<MigrationDetail>>({})
  const [entries, setEntries] = useState<readonly JournalEntry[]>([])
  const [connected, setConnected] = useState(true)
  const [asOf, setAsOf] = useState(() => Date.now())
  const rereading = useRef<ReturnType<typeof setTimeout> | null>(null)

  useEffect(() => {
    const stopped = new AbortController()
    setEntries([])
    setLive({})
    const add = (more: readonly JournalEntry[]) =>
      setEntries((before) => {
        const seen = before.at(-1)?.position ?? 0
        const news = more.filter((entry) => entry.position > seen)
        return news.length === 0 ? before : [...before, ...news].slice(-entriesMax)
      })
    const rereadSoon = () => {
      rereading.current ??= setTimeout(() => {
        rereading.current = null
        reload()
      }, rereadMs)
    }
    const onEvent = (event: LiveEvent) => {
      if (event.type === 'journal') {
        add([event.entry])
        rereadSoon()
      } else if (event.type === 'progress') {
        const { copy, streams, throttle, verification, transition } = event
        setLive({ copy, streams, throttle, verification, transition })
      } else rereadSoon()
    }
    void newestEntries(id, stopped.signal).then((newest) => {
      add(newest)
      return follow(`/migrations/${id}/events`, newest.at(-1)?.position ?? 0, stopped.signal, onEvent, setConnected)
    })
    const refreshing = setInterval(() => {
      if (!document.hidden) reload()
    }, refreshMs)
    return () => {
      stopped.abort()
      clearInterval(refreshing)
      if (rereading.current) clearTimeout(rereading.current)
      rereading.current = null
    }
  }, [id, reload])

  // What was just read is newer than what the events said before it.
  // biome-ignore lint/correctness/useExhaustiveDependencies: `data` is the moment
  useEffect(() => {
    setLive({})
    setAsOf(Date.now())
  }, [data])

  return {
    migration: data && { ...data, ...live },
    entries,
    error,
    connected: connected && error === null,
    asOf,
    reload,
  }
}

/** Oldest first. Tries until the server answers or nobody wants to know any more. */
async function newestEntries(id: string, signal: AbortSignal): Promise<readonly JournalEntry[]> {
  for (;;) {
    try {
      const newest = await call<JournalEntry[]>(`/migrations/${id}/history?limit=${entriesMax}`, { signal })
      return newest.toReversed()
    } catch {
      if (signal.aborted) return []
      await new Promise((resolve) => setTimeout(resolve, refreshMs))
    }
  }
}
