// A real installation for the benchmarks, without limits of calls, with services made from a loopback upstream.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { type ServerProcess, startServerProcess } from '@crossfade/gateway-app/testing/server-process.ts'
import { openapiDocument } from './openapi-document.ts'

export interface Connected {
  /** Path of the instance, with the slash at its end. */
  readonly path: string
  readonly token: string
}

export interface Upstream {
  readonly origin: string
  readonly host: string
  stop(): void
}

/** Starts the upstream of the benchmarks, a process of its own. */
export async function startUpstream(): Promise<Upstream> {
  const child = fork(join(import.meta.dirname, 'upstream-process.ts'), {
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  const host = `127.0.0.1:${port}`
  return { origin: `http://${host}`, host, stop: () => child.kill() }
}

export interface BareHop {
  readonly origin: string
  readonly pid: number
  stop(): void
}

/** Starts what a call through this machine costs at least (bare-hop-process.ts); its lists hold `listBytes`. */
export async function startBareHop(upstream: Upstream, listBytes: number): Promise<BareHop> {
  const child = fork(join(import.meta.dirname, 'bare-hop-process.ts'), [upstream.origin, String(listBytes)], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  return { origin: `http://127.0.0.1:${port}`, pid: child.pid!, stop: () => child.kill() }
}

/** Starts an installation in a new directory. Stopped, it takes its directory with it. */
export function startInstallation(upstream: Upstream, workers = 1): Promise<ServerProcess> {
  const none = { callsPerSecond: null, concurrentMax: null, callsPerDayMax: null }
  return startServerProcess({
    workers,
    files: { 'limits.json': { user: none, instance: none } },
    args: ['--quiet', '--allow-upstream', upstream.host, '--limits', 'limits.json', '--no-health-checks'],
  })
}

/** What an answer of the API holds; rejects when it is no success. */
export async function apiOf<Body>(server: ServerProcess, method: string, path: string, body?: unknown): Promise<Body> {
  const answer = await server.api<Body>(method, path, body)
  if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
  return answer.body
}

/** Imports a service of `operations` operations and connects the owner to it. */
export async function connectItems(server: ServerProcess, upstream: Upstream, operations: number): Promise<Connected> {
  const serviceType = `items-${operations}`
  await apiOf(server, 'POST', '/imports', {
    text: JSON.stringify(openapiDocument(upstream.origin, operations)),
    serviceType,
  })
  const answer = await apiOf<{ instance: { instanceId: string }; minted: { secret: string } }>(
    server,
    'POST',
    `/services/${serviceType}/authenticate`,
    { apiKey: 'bench', force: true },
  )
  // All of them listed, as the peers list all of theirs.
  const tools = Array.from({ length: operations }, (_, n) => `getItem${n}`)
  await apiOf(server, 'PATCH', `/services/${serviceType}/instance`, { settings: { tools, search: false } })
  return { path: `/${answer.instance.instanceId}/${serviceType}/`, token: answer.minted.secret }
}
