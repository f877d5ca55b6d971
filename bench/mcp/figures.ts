// What was asked for, beside what was measured: lines of bench/RESULTS.md.
import type { Figure } from '../figures.ts'
import { median } from '../median.ts'
import type { ChangesUnderLoad } from './changes-under-load.ts'
import type { ManyInstances } from './many-instances.ts'
import type { Comparison } from './processes-per-instance.ts'
import type { Soak } from './soak.ts'
import type { ThroughputRound } from './throughput.ts'

export function ready({ services, times }: { services: number; times: readonly number[] }): Figure[] {
  return [atMost(`all ${services} services ready, from process start`, times, 1_000, 'ms')]
}

export function throughput(rounds: readonly ThroughputRound[]): Figure[] {
  const five = rounds.map(({ listFive }) => listFive.requestsPerSecond)
  const fifty = rounds.map(({ listFifty }) => listFifty.requestsPerSecond)
  const call = rounds.map((round) => round.call.requestsPerSecond)
  const plainFive = rounds.map((round) => round.plainFive.requestsPerSecond)
  const plainFifty = rounds.map((round) => round.plainFifty.requestsPerSecond)
  const apart = (few: readonly number[], many: readonly number[]) =>
    rounds.map((_, n) => Math.abs(1 - many[n]! / few[n]!) * 100)
  const failures = rounds.flatMap((round) =>
    (['listFive', 'listFifty', 'plainFive', 'plainFifty', 'call'] as const).map((kind) => round[kind].failed),
  )
  return [
    atLeast('tools/call to a loopback upstream, c = 32', call, 5_000, 'requests/s'),
    atMost(
      '… added to a direct call at 500 requests/s, p50',
      rounds.map((r) => r.callAtRate.p50Ms - r.directAtRate.p50Ms),
      1,
      'ms',
    ),
    atMost(
      '… p99',
      rounds.map((r) => r.callAtRate.p99Ms - r.directAtRate.p99Ms),
      5,
      'ms',
    ),
    plain(
      '… the upstream called directly, c = 32',
      rounds.map((r) => r.direct.requestsPerSecond),
      'requests/s',
    ),
    plain(
      '… a bare node:http and undici hop, c = 32',
      rounds.map((r) => r.bareCall.requestsPerSecond),
      'requests/s',
    ),
    ...microseconds('tools/call', rounds, 'call'),
    ...microseconds('a bare hop', rounds, 'bareCall'),
    atLeast('tools/list of 5 tools, asked for as clients do (gzip)', five, 8_000, 'requests/s'),
    atLeast('tools/list of 50 tools, asked for as clients do (gzip)', fifty, 8_000, 'requests/s'),
    atMost('… apart from each other', apart(five, fifty), 10, '%'),
    atLeast('tools/list of 5 tools, without compression', plainFive, 8_000, 'requests/s'),
    atLeast('tools/list of 50 tools, without compression', plainFifty, 8_000, 'requests/s'),
    atMost('… apart from each other', apart(plainFive, plainFifty), 10, '%'),
    plain(
      '… a bare node:http server with as many bytes as 50 tools',
      rounds.map((r) => r.bareList.requestsPerSecond),
      'requests/s',
    ),
    ...microseconds('tools/list of 5 tools (gzip)', rounds, 'listFive'),
    ...microseconds('tools/list of 50 tools (gzip)', rounds, 'listFifty'),
    ...microseconds('tools/list of 5 tools', rounds, 'plainFive'),
    ...microseconds('tools/list of 50 tools', rounds, 'plainFifty'),
    ...microseconds('a bare list as long', rounds, 'bareList'),
    {
      what: '… failed requests of all these',
      asked: '0',
      measured: String(sum(failures)),
      spread: '',
      reached: sum(failures) === 0,
    },
    ...againstPeers(rounds),
  ]
}

/** Processor time is what a busy machine changes least: the server's, and beside it the load generator's for the same request. */
function microseconds(
  what: string,
  rounds: readonly ThroughputRound[],
  kind: 'call' | 'bareCall' | 'listFive' | 'listFifty' | 'plainFive' | 'plainFifty' | 'bareList',
): Figure[] {
  const server = rounds.flatMap((round) => round[kind].serverMicroseconds ?? [])
  const generator = rounds.map((round) => round[kind].generatorMicroseconds)
  return [
    plain(`… processor time of ${what}: server`, server, 'µs/request'),
    plain(`… processor time of ${what}: load generator`, generator, 'µs/request'),
  ]
}

function againstPeers(rounds: readonly ThroughputRound[]): Figure[] {
  const names = Object.keys(rounds[0]?.peers ?? {})
  return (['call', 'list'] as const).flatMap((kind) => {
    const ours = (round: ThroughputRound) => (kind === 'call' ? round.call : round.plainFive).requestsPerSecond
    const ratios = (name: string) =>
      rounds.flatMap((round) => {
        const peer = round.peers[name]?.[kind]
        return peer && peer.failed === 0 ? [ours(round) / peer.requestsPerSecond] : []
      })
    const each = names.map((name) => ({ name, ratios: ratios(name) }))
    const best = each.filter((peer) => peer.ratios.length > 0).sort((a, b) => median(a.ratios) - median(b.ratios))[0]
    return each.map(({ name, ratios: found }) => ({
      what: `tools/${kind} (5 tools) against ${name}`,
      asked: name === best?.name ? '≥ 4×, the best of them' : '–',
      measured: found.length === 0 ? 'not measured' : `${median(found).toFixed(1)}×`,
      spread: spreadOf(found, (value) => `${value.toFixed(1)}×`),
      reached: name === best?.name ? median(found) >= 4 : null,
    }))
  })
}

export function memory({ instances, residentMb, opened }: ManyInstances): Figure[] {
  return [
    atMost(
      `memory with all services and ${instances.toLocaleString('en')} instances, ${opened.toLocaleString('en')} of them used`,
      [residentMb],
      250,
      'MB',
    ),
  ]
}

export function processes(result: Comparison): Figure[] {
  const memorySaved = (1 - result.sharedMb / result.dynamicMb) * 100
  const processorSaved = (1 - result.sharedMsPerCall / result.dynamicMsPerCall) * 100
  return [
    atLeast(
      `memory saved against one process per instance, ${result.instances} of them (${Math.round(result.dynamicMb)} MB → ${Math.round(result.sharedMb)} MB)`,
      [memorySaved],
      95,
      '%',
    ),
    atLeast('… processor time per call saved', [processorSaved], 30, '%'),
  ]
}

export function revocation(times: readonly number[]): Figure[] {
  return [
    atMost(
      'a revoked token goes on working, on two workers, after its revocation is answered: longest',
      [Math.max(...times)],
      100,
      'ms',
    ),
  ]
}

export function changes({ rotation, reload }: { rotation: ChangesUnderLoad; reload: ChangesUnderLoad }): Figure[] {
  const none = (what: string, { requests, failed }: ChangesUnderLoad): Figure => ({
    what: `${what}: failed of ${requests.toLocaleString('en')} calls`,
    asked: '0',
    measured: String(failed),
    spread: '',
    reached: failed === 0,
  })
  return [none('rotation of all keys under load', rotation), none('reload of the catalog under load', reload)]
}

export function soak({ seconds, firstMb, lastMb, processes: count, requests, failed }: Soak): Figure[] {
  return [
    {
      what: `memory over a soak of ${seconds} s (${requests.toLocaleString('en')} calls, ${failed} failed), from its first to its last quarter`,
      asked: 'flat',
      measured: `${firstMb.toFixed(0)} MB → ${lastMb.toFixed(0)} MB, ${count} process${count === 1 ? '' : 'es'}`,
      spread: '',
      reached: lastMb <= firstMb * 1.1 && failed === 0,
    },
  ]
}

function atMost(what: string, values: readonly number[], limit: number, unit: string): Figure {
  const value = median(values)
  return {
    what,
    asked: `≤ ${limit.toLocaleString('en')} ${unit}`,
    measured: text(value, unit),
    spread: spreadOf(values, (v) => text(v, unit)),
    reached: value <= limit,
  }
}

function atLeast(what: string, values: readonly number[], limit: number, unit: string): Figure {
  return {
    ...atMost(what, values, limit, unit),
    asked: `≥ ${limit.toLocaleString('en')} ${unit}`,
    reached: median(values) >= limit,
  }
}

function plain(what: string, values: readonly number[], unit: string): Figure {
  return { ...atMost(what, values, 0, unit), asked: '–', reached: null }
}

function text(value: number, unit: string): string {
  const digits = Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0
  return `${value.toLocaleString('en', { maximumFractionDigits: digits })} ${unit}`
}

function spreadOf(values: readonly number[], of: (value: number) => string): string {
  return values.length < 2 ? '' : `${of(Math.min(...values))} – ${of(Math.max(...values))}`
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
