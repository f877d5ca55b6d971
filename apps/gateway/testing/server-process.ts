// `crossfade mcp serve` as people run it: a process of its own, in a directory of its own, on an embedded database. For tests and benchmarks.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { freePort } from '@crossfade/embedded/cluster.ts'
import { servingNodeOptions } from '../heap.ts'
import { homePaths } from '../home.ts'

const commandLine = resolve(import.meta.dirname, '..', '..', 'cli', 'main.ts')
const stopMsMax = 20_000
/** As the installed program has it (tools/bootstrap.mjs). */
const compileCache = { NODE_COMPILE_CACHE: join(homedir(), '.cache', 'crossfade', 'compiled') }

export interface ServerProcessOptions {
  readonly workers?: number
  /** Further arguments of `mcp serve`. */
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Files in the working directory to begin with, such as limits. */
  readonly files?: Readonly<Record<string, unknown>>
  /** Files of services to begin with, by their path below the services directory. */
  readonly services?: Readonly<Record<string, unknown>>
}

export interface Answer<Body> {
  readonly status: number
  readonly headers: Headers
  readonly body: Body
}

export interface ServerProcess {
  readonly origin: string
  /** Its working directory. */
  readonly directory: string
  readonly pid: number
  readonly workers: readonly number[]
  readonly services: number
  /** From the start of the process until it said that every service is served. */
  readonly readyMs: number
  /** What it has written to standard error so far. */
  readonly log: string
  /** A request of the API as the installation's owner, or with `headers` of somebody else. */
  api<Body = unknown>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer<Body>>
  /** Runs a command of the command line in its directory. */
  run(...args: readonly string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>
  kill(signal: NodeJS.Signals): void
  /** Resolves when the process is gone. */
  ended(): Promise<void>
  /** Stops it if it runs, and starts it again in the same directory. */
  restart(): Promise<void>
  /** Stops it, and removes everything. */
  stop(): Promise<void>
}

/** Starts a server and waits until it serves. Rejects with what it wrote when it ends before. */
export async function startServerProcess(options: ServerProcessOptions = {}): Promise<ServerProcess> {
  const directory = mkdtempSync(join(tmpdir(), 'crossfade-mcp-'))
  const home = homePaths(directory)
  const services = Object.entries(options.services ?? {}).map(
    ([path, content]) => [join(home.servicesDirectory, path), content] as const,
  )
  const files = Object.entries(options.files ?? {}).map(([path, content]) => [join(directory, path), content] as const)
  for (const [file, content] of [...services, ...files]) {
    mkdirSync(resolve(file, '..'), { recursive: true })
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content, null, 2))
  }
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const args = ['mcp', 'serve', '--json', '--port', String(port), '--workers', String(options.workers ?? 1)]
  let running: Running
  const start = async () => {
    running = await begin([...args, ...(options.args ?? [])], directory, options.env ?? {})
  }
  try {
    await start()
  } catch (error) {
    rmSync(directory, { recursive: true, force: true })
    throw error
  }

  return {
    origin,
    directory,
    get pid() {
      return running.child.pid!
    },
    get workers() {
      return running.ready.workers
    },
    get services() {
      return running.ready.services
    },
    get readyMs() {
      return running.readyMs
    },
    get log() {
      return running.log()
    },
    async api<Body>(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>) {
      const as = headers ?? { authorization: `Bearer ${readFileSync(home.ownerTokenFile, 'utf8').trim()}` }
      const response = await fetch(`${origin}/api/v1${path}`, {
        method,
        headers: { ...as, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        redirect: 'manual',
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      const isJson = response.headers.get('content-type')?.includes('json') === true
      return { status: response.status, headers: response.headers, body: (isJson ? JSON.parse(text) : text) as Body }
    },
    run: (...commandArgs) => runCommand(commandArgs, directory, options.env ?? {}),
    kill: (signal) => running.child.kill(signal),
    ended: () => ended(running.child),
    async restart() {
      await end(running.child)
      await start()
    },
    async stop() {
      await end(running.child)
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

interface Running {
  readonly child: ChildProcess
  readonly ready: { readonly services: number; readonly workers: readonly number[] }
  readonly readyMs: number
  log(): string
}

async function begin(args: readonly string[], cwd: string, env: Readonly<Record<string, string>>): Promise<Running> {
  const begun = performance.now()
  const child = spawn(process.execPath, [...servingNodeOptions, commandLine, ...args], {
    cwd,
    env: { ...process.env, ...compileCache, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let log = ''
  child.stderr.on('data', (chunk: Buffer) => {
    log += String(chunk)
  })
  let output = ''
  for await (const chunk of child.stdout) {
    output += String(chunk)
    try {
      const ready = JSON.parse(output) as Running['ready'] & { readonly error?: unknown }
      if (ready.error === undefined) return { child, ready, readyMs: performance.now() - begun, log: () => log }
    } catch {
      // Not all of it has come yet.
    }
  }
  await ended(child)
  throw new Error(`the server ended before it served: ${output}${log}`)
}

async function runCommand(args: readonly string[], cwd: string, env: Readonly<Record<string, string>>) {
  const child = spawn(process.execPath, [...servingNodeOptions, commandLine, ...args], {
    cwd,
    env: { ...process.env, ...compileCache, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += String(chunk)
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += String(chunk)
  })
  const [code] = (await once(child, 'close')) as [number]
  return { code, stdout, stderr }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}

async function end(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), stopMsMax)
  await ended(child)
  clearTimeout(timer)
}
