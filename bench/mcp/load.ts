import { Client } from 'undici'
import { processorMs } from './processes.ts'

export interface LoadOptions {
  readonly origin: string
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  /** Path of the n-th request. */
  readonly path: (n: number) => string
  /** Body of the n-th request: another one each time, so that no cache helps. */
  readonly body?: (n: number) => string
  /** One request at a time on each. */
  readonly connections: number
  readonly seconds: number
  /** Requests per second over all connections; without it each connection sends as soon as it has its answer. */
  readonly rate?: number
  /** The process that answers, whose processor time is read. */
  readonly pid?: number
}

export interface LoadResult {
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly requests: number
  /** Processor time of the process that answers, and of this one, for each request, in µs: what is left of a rate when the machine has other work. Null without `pid`. */
  readonly serverMicroseconds: number | null
  readonly generatorMicroseconds: number
  /** Answers other than 2xx, and broken connections. */
  readonly failed: number
  /** Texts of some answers that were no success, or that said `isError`. */
  readonly complaints: readonly string[]
}

const warmUpSeconds = 1
const complaintsMax = 3

/** Sends requests from this process. What comes in the first second is not counted. A tool's error counts as failed, too. */
export async function load(options: LoadOptions): Promise<LoadResult> {
  const latencies: number[] = []
  const complaints: string[] = []
  let failed = 0
  let sent = 0
  let counting: Counting | null = null
  const started = performance.now()
  const from = started + warmUpSeconds * 1_000
  const until = from + options.seconds * 1_000
  const pauseMs = options.rate === undefined ? 0 : (options.connections / options.rate) * 1_000

  await Promise.all(
    Array.from({ length: options.connections }, async (_, index) => {
      const client = new Client(options.origin, { pipelining: 1, keepAliveTimeout: 60_000 })
      // Spread over the pause, so that the connections do not all send at once.
      let due = started + (pauseMs * index) / options.connections
      while (performance.now() < until) {
        if (pauseMs > 0) {
          await sleepUntil(due)
          due += pauseMs
        }
        const begun = performance.now()
        sent += 1
        const complaint = await once(client, options, sent)
        if (begun < from) continue
        counting ??= beginCounting(options.pid)
        latencies.push(performance.now() - begun)
        if (complaint === null) continue
        failed += 1
        if (complaints.length < complaintsMax) complaints.push(complaint)
      }
      await client.destroy()
    }),
  )
  const { server, generator } = counting === null ? { server: null, generator: 0 } : (counting as Counting)()
  latencies.sort((a, b) => a - b)
  const at = (share: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0
  return {
    requestsPerSecond: latencies.length / options.seconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    requests: latencies.length,
    serverMicroseconds: server === null ? null : server / Math.max(1, latencies.length),
    generatorMicroseconds: generator / Math.max(1, latencies.length),
    failed,
    complaints,
  }
}

type Counting = () => { readonly server: number | null; readonly generator: number }

/** Begins to count processor time; what is returned says how much there was since, in µs. */
function beginCounting(pid: number | undefined): Counting {
  const server = pid === undefined ? 0 : processorMs(pid)
  const own = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(own)
    return { server: pid === undefined ? null : (processorMs(pid) - server) * 1_000, generator: user + system }
  }
}

/** Sends one request; null when it was a success. */
function once(client: Client, options: LoadOptions, n: number): Promise<string | null> {
  return new Promise((resolve) => {
    let status = 0
    const chunks: Buffer[] = []
    client.dispatch(
      { path: options.path(n), method: options.method, headers: options.headers, body: options.body?.(n) ?? null },
      {
        onRequestStart() {},
        onResponseStart(_controller, statusCode) {
          status = statusCode
        },
        onResponseData(_controller, chunk) {
          chunks.push(chunk)
        },
        onResponseEnd() {
          const first = chunks[0]
          const isComplaint =
            status < 200 || status > 299 || first?.includes('"isError":true') || first?.includes('"error":')
          resolve(isComplaint ? `${status} ${Buffer.concat(chunks).toString()}`.slice(0, 500) : null)
        },
        onResponseError(_controller, error) {
          resolve(error.message)
        },
      },
    )
  })
}

function sleepUntil(due: number): Promise<void> | null {
  const wait = due - performance.now()
  return wait <= 0 ? null : new Promise((resolve) => setTimeout(resolve, wait))
}
