// The client program of the simulated system, as a process of its own: it knows the databases only through its client library,
// and is told to stop by a line on its standard input (or by its end); the line `window` ends a window of latencies and begins the next one.

import process from 'node:process'
import { createInterface } from 'node:readline'
import { createClient } from '@crossfade/client/client.ts'
import { httpRouting } from '@crossfade/client/http-routing.ts'
import { reasonOf } from '@crossfade/model/failure.ts'
import { seededRandom } from '@crossfade/model/seeded-random.ts'
import { LedgerWriter } from './ledger.ts'
import { routingOnceThere } from './routing-once-there.ts'
import { startTraffic } from './traffic.ts'
import type { TrafficReport, TrafficSettings } from './traffic-settings.ts'

const reportEveryMs = 500
const errorsShownMax = 20

const settings = JSON.parse(process.argv[2]!) as TrafficSettings
const client = await createClient({
  routing:
    settings.routing.kind === 'migration'
      ? httpRouting({ url: settings.routing.url })
      : routingOnceThere(settings.routing.serverUrl, settings.routing.first),
  shards: Object.fromEntries(
    Object.entries(settings.shards).map(([shard, connectionString]) => [
      shard,
      { connectionString, max: settings.writers },
    ]),
  ),
})
const ledger = new LedgerWriter(settings.ledgerPath)
for (const tenant of settings.tenants) {
  ledger.write({
    kind: 'known',
    table: 'tenant_limits',
    tenant,
    key: { tenant_id: tenant },
    columns: { messages_used: '0' },
  })
}
const traffic = startTraffic({
  client,
  ledger,
  tenants: settings.tenants,
  writesPerSecond: settings.writesPerSecond,
  writers: settings.writers,
  random: seededRandom(settings.seed),
  onError: (error, operation) => {
    if (traffic.counts.errors <= errorsShownMax) process.stderr.write(`traffic: ${operation}: ${reasonOf(error)}\n`)
  },
})

function report(of: { readonly done?: boolean; readonly windowEnds?: boolean } = {}): void {
  const { holds, holdMs } = client.stats()
  const line: TrafficReport = {
    done: of.done ?? false,
    windowEnds: of.windowEnds ?? false,
    acknowledged: traffic.counts.acknowledged,
    errors: traffic.counts.errors,
    unknown: traffic.counts.unknown,
    holds,
    holdMs,
    latencyMs: percentiles(traffic.counts.latencies),
  }
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

function percentiles(samples: readonly number[]): TrafficReport['latencyMs'] {
  const sorted = [...samples].sort((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) }
}

const reporting = setInterval(() => report(), reportEveryMs)
const input = createInterface({ input: process.stdin })
await new Promise<void>((resolve) => {
  input.on('line', (line) => {
    if (line !== 'window') return resolve()
    report({ windowEnds: true })
    traffic.counts.latencies.length = 0
  })
  input.once('close', () => resolve())
})
clearInterval(reporting)
await traffic.stop()
await ledger.close()
report({ done: true })
await client.end()
process.exit(0)
