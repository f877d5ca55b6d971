// Tells the database what only a worker knows: records it dropped, upstreams it leaves alone.
import { randomUUID } from 'node:crypto'
import type { Pool } from 'pg'

export const reportMs = 15_000
/** Drops that are further apart belong to different troubles. */
const quietMs = 600_000

export interface WorkerSignalsOptions {
  /** Of the runtime role. */
  readonly pool: Pool
  /** Records dropped since the worker started. */
  readonly dropped: () => number
  /** Services with an open breaker now. */
  readonly openBreakers: () => Iterable<string>
  readonly reportMs?: number
}

/** Reports now and then until closed. A report that fails is made up for by the next. */
export function reportWorkerSignals(options: WorkerSignalsOptions): {
  report(): Promise<void>
  close(): Promise<void>
} {
  const worker = randomUUID()
  const openSince = new Map<string, number>()
  let toldDropped = 0
  let ofThisTrouble = 0
  let droppedMs = 0
  let isToldOfDrops = true
  let reporting: Promise<void> = Promise.resolve()

  const report = async (): Promise<void> => {
    const dropped = options.dropped()
    const open = new Set(options.openBreakers())
    const signals: { signal: string; subject: string; value: number }[] = []
    if (dropped > toldDropped) {
      if (Date.now() - droppedMs > quietMs) ofThisTrouble = 0
      droppedMs = Date.now()
      ofThisTrouble += dropped - toldDropped
      toldDropped = dropped
      isToldOfDrops = false
    }
    if (!isToldOfDrops) signals.push({ signal: 'usage_dropped', subject: 'platform', value: ofThisTrouble })
    for (const service of open) {
      if (!openSince.has(service)) openSince.set(service, Date.now())
      signals.push({ signal: 'breaker_open', subject: service, value: openSince.get(service)! })
    }
    const closed = [...openSince.keys()].filter((service) => !open.has(service))
    for (const service of closed) signals.push({ signal: 'breaker_open', subject: service, value: 0 })
    if (signals.length === 0) return
    await options.pool.query('select report_worker_signals($1, $2::jsonb)', [worker, JSON.stringify(signals)])
    isToldOfDrops = true
    for (const service of closed) openSince.delete(service)
  }

  const next = () => {
    reporting = reporting.then(report).catch(() => undefined)
    return reporting
  }
  const timer = setInterval(next, options.reportMs ?? reportMs).unref()
  return {
    report: next,
    async close() {
      clearInterval(timer)
      await next()
    },
  }
}
