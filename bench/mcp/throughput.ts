// Requests per second of the gateway and its peers, in turns within each round, and what a call through it adds to a call of the upstream.
import type { ServerProcess } from '@crossfade/gateway-app/testing/server-process.ts'
import { type BareHop, type Connected, connectItems, startBareHop, type Upstream } from './installation.ts'
import { type LoadResult, load } from './load.ts'
import { peerStarters } from './peers.ts'
import { callBody, listBody, mcpHeaders } from './requests.ts'

const connections = 32
/** Where latencies are compared: far from what either side can do, so that waiting in line is no part of it. */
const latencyRate = 500
const tool = 'getItem1'
/** What `fetch` adds to a request over http by itself, and so every client of the SDK. */
const asFetchAsks = { 'accept-encoding': 'gzip, deflate' }

export interface ThroughputRound {
  /** As clients ask for it: every `fetch` takes gzip. */
  readonly listFive: LoadResult
  readonly listFifty: LoadResult
  /** Asked for without compression, as the peers are: none of them compresses. */
  readonly plainFive: LoadResult
  readonly plainFifty: LoadResult
  readonly call: LoadResult
  readonly direct: LoadResult
  /** A plain `node:http` server with undici in our place: what this machine can do at most, now. */
  readonly bareCall: LoadResult
  /** … that answers lists as long as those of 50 tools. */
  readonly bareList: LoadResult
  readonly callAtRate: LoadResult
  readonly directAtRate: LoadResult
  /** By the peer's name; null for one that could not be started. */
  readonly peers: Readonly<Record<string, { readonly list: LoadResult; readonly call: LoadResult } | null>>
}

export interface ThroughputOptions {
  readonly installation: ServerProcess
  readonly upstream: Upstream
  readonly rounds: number
  readonly seconds: number
  /** Folder of the peers; null measures without them. */
  readonly programs: string | null
}

/** Measures all rounds. */
export async function throughput(options: ThroughputOptions): Promise<ThroughputRound[]> {
  const { installation, upstream } = options
  const five = await connectItems(installation, upstream, 5)
  const fifty = await connectItems(installation, upstream, 50)
  const bare = await startBareHop(upstream, await listBytes(installation, fifty, 50))
  const rounds: ThroughputRound[] = []
  try {
    for (let round = 0; round < options.rounds; round += 1) rounds.push(await oneRound(options, five, fifty, bare))
  } finally {
    bare.stop()
  }
  return rounds
}

/** Bytes of a list without compression. Rejects when the list, compressed or not, does not hold that many tools. */
async function listBytes({ origin }: ServerProcess, { path, token }: Connected, tools: number): Promise<number> {
  const list = async (encoding: Readonly<Record<string, string>>) => {
    const headers = { ...mcpHeaders('tools/list', undefined, token), ...encoding }
    const answer = await fetch(origin + path, { method: 'POST', headers, body: listBody(0) })
    return answer.text()
  }
  const plain = await list({ 'accept-encoding': 'identity' })
  for (const text of [plain, await list(asFetchAsks)]) {
    const found = (JSON.parse(text) as { result: { tools: unknown[] } }).result.tools.length
    if (found !== tools) throw new Error(`the list holds ${found} tools, not ${tools}`)
  }
  return Buffer.byteLength(plain)
}

async function oneRound(
  options: ThroughputOptions,
  five: Connected,
  fifty: Connected,
  bare: BareHop,
): Promise<ThroughputRound> {
  const { installation, upstream, seconds } = options
  const common = { connections, seconds }
  const [pid] = installation.workers
  const ours = pid === undefined ? common : { ...common, pid }
  const list = (to: Connected, more: Readonly<Record<string, string>> = {}) =>
    load({
      ...ours,
      origin: installation.origin,
      method: 'POST',
      headers: { ...mcpHeaders('tools/list', undefined, to.token), ...more },
      path: () => to.path,
      body: listBody,
    })
  const call = (rate?: number) =>
    load({
      ...ours,
      ...(rate === undefined ? {} : { rate }),
      origin: installation.origin,
      method: 'POST',
      headers: mcpHeaders('tools/call', tool, five.token),
      path: () => five.path,
      body: (n) => callBody(n, tool),
    })
  const direct = (rate?: number) =>
    load({
      ...common,
      ...(rate === undefined ? {} : { rate }),
      origin: upstream.origin,
      method: 'GET',
      headers: { 'x-api-key': 'bench' },
      path: (n) => `/items1/item-${n}`,
    })
  const toBare = { ...common, origin: bare.origin, pid: bare.pid, method: 'POST' as const }
  return {
    listFive: await list(five, asFetchAsks),
    listFifty: await list(fifty, asFetchAsks),
    plainFive: await list(five),
    plainFifty: await list(fifty),
    bareList: await load({ ...toBare, headers: mcpHeaders('tools/list'), path: () => '/list', body: listBody }),
    call: await call(),
    bareCall: await load({
      ...toBare,
      headers: mcpHeaders('tools/call', tool),
      path: () => '/call',
      body: (n) => callBody(n, tool),
    }),
    direct: await direct(),
    callAtRate: await call(latencyRate),
    directAtRate: await direct(latencyRate),
    peers: options.programs === null ? {} : await allPeers(upstream, options.programs, seconds),
  }
}

async function allPeers(upstream: Upstream, programs: string, seconds: number): Promise<ThroughputRound['peers']> {
  const results: Record<string, { list: LoadResult; call: LoadResult } | null> = {}
  for (const [name, start] of Object.entries(peerStarters)) {
    results[name] = null
    try {
      const peer = await start(upstream.origin, 5, programs)
      const common = { origin: peer.origin, method: 'POST' as const, path: () => peer.path, connections, seconds }
      try {
        const list = await load({ ...common, headers: peer.headers('tools/list'), body: peer.listBody })
        const call = await load({
          ...common,
          headers: peer.headers('tools/call', tool),
          body: (n) => peer.callBody(n, tool),
        })
        results[name] = { list, call }
      } finally {
        await peer.stop()
      }
    } catch (error) {
      process.stderr.write(`bench: ${name} could not be measured: ${String(error)}\n`)
    }
  }
  return results
}
