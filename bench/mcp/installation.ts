// A real installation for the benchmarks: `crossfade mcp serve` in a process of its own, on an embedded database, with services made from a loopback upstream.
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { freePort } from '@crossfade/embedded/cluster.ts'
import { openapiDocument } from './openapi-document.ts'

const commandLine = resolve(import.meta.dirname, '..', '..', 'apps', 'cli', 'main.ts')
const nodeFlags = ['--disable-warning=ExperimentalWarning']
const stopMsMax = 15_000

export interface Connected {
  /** Path of the instance, with the slash at its end. */
  readonly path: string
  readonly token: string
}

export interface Installation {
  readonly origin: string
  /** Where it keeps what it makes. */
  readonly directory: string
  readonly pid: number
  readonly workers: readonly number[]
  /** From the start of the process until every service was served, as measured from outside. */
  readonly readyMs: number
  readonly services: number
  api<Answer>(method: string, path: string, body?: unknown, token?: string): Promise<Answer>
  /** Stops it, and starts it again in the same directory. */
  restart(workers?: number): Promise<void>
  stop(): Promise<void>
}

export interface Upstream {
  readonly origin: string
  readonly host: string
  stop(): void
}

/** Starts the upstream of the benchmarks. */
export async function startUpstream(): Promise<Upstream> {
  const child = fork(join(import.meta.dirname, 'upstream-process.ts'), { execArgv: nodeFlags })
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  const host = `127.0.0.1:${port}`
  return { origin: `http://${host}`, host, stop: () => child.kill() }
}

/** Starts an installation without limits of calls in a new directory. */
export async function startInstallation(upstream: Upstream, workers = 1): Promise<Installation> {
  const directory = mkdtempSync(join(tmpdir(), 'crossfade-bench-'))
  const limitsFile = join(directory, 'limits.json')
  const none = { callsPerSecond: null, concurrentMax: null, callsPerDayMax: null }
  writeFileSync(limitsFile, JSON.stringify({ user: none, instance: none }))
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  let running: { child: ChildProcess; ready: Ready; readyMs: number }

  const start = async (count: number) => {
    const begun = performance.now()
    const args = ['mcp', 'serve', '--port', String(port), '--workers', String(count), '--quiet', '--json']
    const more = ['--allow-upstream', upstream.host, '--limits', limitsFile, '--no-health-checks']
    const child = spawn(process.execPath, [...nodeFlags, commandLine, ...args, ...more], {
      cwd: directory,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ready = await readyOf(child)
    running = { child, ready, readyMs: performance.now() - begun }
  }
  const end = async () => {
    const exited = once(running.child, 'exit')
    running.child.kill('SIGTERM')
    const timer = setTimeout(() => running.child.kill('SIGKILL'), stopMsMax)
    await exited
    clearTimeout(timer)
  }

  await start(workers)
  return {
    origin,
    directory,
    get pid() {
      return running.child.pid!
    },
    get workers() {
      return running.ready.workers
    },
    get readyMs() {
      return running.readyMs
    },
    get services() {
      return running.ready.services
    },
    async api<Answer>(method: string, path: string, body?: unknown, token?: string): Promise<Answer> {
      const owner = token ?? readFileSync(join(directory, '.crossfade', 'mcp', 'owner.token'), 'utf8').trim()
      const response = await fetch(`${origin}/api/v1${path}`, {
        method,
        headers: {
          authorization: `Bearer ${owner}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
      return (text === '' ? undefined : JSON.parse(text)) as Answer
    },
    async restart(count = workers) {
      await end()
      await start(count)
    },
    async stop() {
      await end()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Imports a service of `operations` operations and connects the owner to it. */
export async function connectItems(
  installation: Installation,
  upstream: Upstream,
  operations: number,
): Promise<Connected> {
  const serviceType = `items-${operations}`
  await installation.api('POST', '/imports', {
    text: JSON.stringify(openapiDocument(upstream.origin, operations)),
    serviceType,
  })
  const tools = Array.from({ length: operations }, (_, n) => `getItem${n}`)
  const answer = await installation.api<{ instance: { instanceId: string }; minted: { secret: string } }>(
    'POST',
    `/services/${serviceType}/authenticate`,
    { apiKey: 'bench', force: true },
  )
  // All of them listed, as the peers list all of theirs.
  await installation.api('PATCH', `/services/${serviceType}/instance`, { settings: { tools, search: false } })
  return { path: `/${answer.instance.instanceId}/${serviceType}/`, token: answer.minted.secret }
}

interface Ready {
  readonly services: number
  readonly workers: readonly number[]
}

async function readyOf(child: ChildProcess): Promise<Ready> {
  let output = ''
  for await (const chunk of child.stdout!) {
    output += String(chunk)
    try {
      return JSON.parse(output) as Ready
    } catch {
      // Not all of it has come yet.
    }
  }
  throw new Error(`the server ended before it was ready: ${output}`)
}
