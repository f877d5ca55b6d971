// Metrics between processes over the channel that a parent has to its workers. Workers share a port, so a scrape reaches any one of them: it asks the parent, the parent asks all.
import type { ChildProcess } from 'node:child_process'
import type { MetricsSnapshot } from './metric-sources.ts'
import { metricsText } from './metrics.ts'

/** A worker that does not answer within this is left out of a scrape. */
export const answerMsMax = 1_000
/** A scrape that the parent does not answer within this is answered by the worker alone. */
export const scrapeMsMax = 3_000

/** Messages of this exchange, both ways; other kinds are none of its business. */
export type MetricsMessage =
  | { readonly kind: 'metrics wanted'; readonly id: number }
  | { readonly kind: 'metrics'; readonly id: number; readonly snapshot: MetricsSnapshot }
  | { readonly kind: 'scrape'; readonly id: number }
  | { readonly kind: 'scraped'; readonly id: number; readonly text: string }

let lastId = 0

/** In the parent: answers scrapes of its workers. Call it for every worker that is started; `workers` are all that run now. */
export function answerScrapes(child: ChildProcess, workers: () => Iterable<ChildProcess>): void {
  child.on('message', (message: MetricsMessage) => {
    if (message.kind !== 'scrape') return
    void collect(workers()).then(async (snapshots) => {
      const answer: MetricsMessage = { kind: 'scraped', id: message.id, text: await metricsText(snapshots) }
      if (child.connected) child.send(answer, () => undefined)
    })
  })
}

/** What every worker counts, without those that don't answer in time. */
export async function collect(workers: Iterable<ChildProcess>): Promise<MetricsSnapshot[]> {
  const answers = await Promise.all([...workers].map(askOne))
  return answers.filter((answer) => answer !== null)
}

function askOne(child: ChildProcess): Promise<MetricsSnapshot | null> {
  lastId += 1
  const id = lastId
  return new Promise((resolve) => {
    const settle = (snapshot: MetricsSnapshot | null) => {
      clearTimeout(timer)
      child.off('message', onMessage).off('exit', onExit)
      resolve(snapshot)
    }
    const onMessage = (message: MetricsMessage) => {
      if (message.kind === 'metrics' && message.id === id) settle(message.snapshot)
    }
    const onExit = () => settle(null)
    const timer = setTimeout(onExit, answerMsMax)
    child.on('message', onMessage).on('exit', onExit)
    if (!child.connected) return settle(null)
    child.send({ kind: 'metrics wanted', id } satisfies MetricsMessage, (error) => error && settle(null))
  })
}

/**
 * In a worker: gives its metrics to its parent, and returns what answers a scrape for all workers. Without a parent, or when it is silent, the answer is the worker's own.
 */
export function scrapeThroughParent(snapshot: () => Promise<MetricsSnapshot>): () => Promise<string> {
  if (!process.send) return async () => metricsText([await snapshot()])
  process.on('message', (message: MetricsMessage) => {
    if (message.kind !== 'metrics wanted') return
    void snapshot().then((own) => tell({ kind: 'metrics', id: message.id, snapshot: own }))
  })
  return async () => (await askParent()) ?? metricsText([await snapshot()])
}

function askParent(): Promise<string | null> {
  lastId += 1
  const id = lastId
  return new Promise((resolve) => {
    const settle = (text: string | null) => {
      clearTimeout(timer)
      process.off('message', onMessage)
      resolve(text)
    }
    const onMessage = (message: MetricsMessage) => {
      if (message.kind === 'scraped' && message.id === id) settle(message.text)
    }
    const timer = setTimeout(() => settle(null), scrapeMsMax)
    process.on('message', onMessage)
    tell({ kind: 'scrape', id })
  })
}

function tell(message: MetricsMessage): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined)
}
