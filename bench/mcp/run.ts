// `npm run bench:mcp`: measures the MCP platform, beside its peers in the same run, and writes its part of bench/RESULTS.md. With --json the last line holds all figures.
// Options: --only ready,throughput,memory,processes,revocation,changes,soak; --quick (one short round: shows that the benchmarks run); --soak SECONDS; --no-peers; --json.
import { parseArgs } from 'node:util'
import { findOrInstallNpmPackages } from '@crossfade/tools/setup/npm-programs.ts'
import type { Figure } from '../figures.ts'
import { writeSection } from '../results-page.ts'
import { reloadUnderLoad, revocations, rotationUnderLoad } from './changes-under-load.ts'
import * as figures from './figures.ts'
import { connectItems, startInstallation, startUpstream } from './installation.ts'
import { manyInstances } from './many-instances.ts'
import { peerPackages } from './peers.ts'
import { processesPerInstance } from './processes-per-instance.ts'
import { soak } from './soak.ts'
import { throughput } from './throughput.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    soak: { type: 'string', default: '90' },
    peers: { type: 'boolean', default: true },
    json: { type: 'boolean', default: false },
  },
  allowNegative: true,
})
const rounds = values.quick ? 1 : 3
const seconds = values.quick ? 2 : 5
const wanted = values.only?.split(',')
const peers = findOrInstallNpmPackages(peerPackages)
const programs = values.peers && 'path' in peers ? peers.path : null

const found: Figure[] = []
const raw: Record<string, unknown> = {}
const failed: string[] = []
const upstream = await startUpstream()

/** Measures one thing on an installation of its own, so that nothing is left over from another. */
async function measure<Result>(
  name: string,
  workers: number,
  work: (server: Awaited<ReturnType<typeof startInstallation>>) => Promise<Result>,
  figuresOf: (result: Result) => readonly Figure[],
): Promise<void> {
  if (wanted && !wanted.includes(name)) return
  process.stderr.write(`bench: ${name}\n`)
  const server = await startInstallation(upstream, workers)
  try {
    const result = await work(server)
    raw[name] = result
    found.push(...figuresOf(result))
  } catch (error) {
    failed.push(`${name}: ${error instanceof Error ? error.message : String(error)}`)
  } finally {
    await server.stop()
  }
}

await measure(
  'ready',
  1,
  async (server) => {
    const times: number[] = []
    for (let round = 0; round < rounds + 2; round += 1) {
      await server.restart()
      times.push(server.readyMs)
    }
    return { services: server.services, times }
  },
  figures.ready,
)
await measure(
  'throughput',
  1,
  (server) => throughput({ installation: server, upstream, rounds, seconds, programs }),
  figures.throughput,
)
await measure('memory', 1, (server) => manyInstances(server, values.quick ? 500 : 10_000), figures.memory)
if (programs !== null) {
  await measure(
    'processes',
    1,
    async (server) =>
      processesPerInstance(server, upstream, await connectItems(server, upstream, 5), programs, seconds),
    figures.processes,
  )
}
await measure(
  'revocation',
  2,
  async (server) => revocations(server, await connectItems(server, upstream, 5), values.quick ? 3 : 20),
  figures.revocation,
)
await measure(
  'changes',
  2,
  async (server) => {
    const to = await connectItems(server, upstream, 5)
    return {
      rotation: await rotationUnderLoad(server, to, seconds),
      reload: await reloadUnderLoad(server, to, seconds),
    }
  },
  figures.changes,
)
await measure(
  'soak',
  1,
  async (server) => soak(server, await connectItems(server, upstream, 5), values.quick ? 5 : Number(values.soak)),
  figures.soak,
)
upstream.stop()

if (!wanted && !values.quick) writeSection('mcp', found, failed)
for (const { what, asked, measured, reached } of found) {
  process.stderr.write(`${reached === null ? ' ' : reached ? '✓' : '✗'} ${what}: ${measured} (${asked})\n`)
}
for (const line of failed) process.stderr.write(`! ${line}\n`)
if (values.json) process.stdout.write(`${JSON.stringify({ figures: found, failed, raw })}\n`)
process.exitCode = failed.length > 0 ? 1 : 0
