import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import { fail, reasonOf } from '@crossfade/model/failure.ts'

/** PM2 starts a few processes at a time and waits until each is ready. */
export const startMsMax = 15 * 60_000
const listBytesMax = 64 * 1024 * 1024

export interface StartAllOptions {
  /** The ecosystem file. */
  readonly file: string
  /** The program; default `pm2`, looked up on PATH. */
  readonly pm2?: string
  readonly environment?: NodeJS.ProcessEnv
  /** Also has PM2 remember what runs, for `pm2 resurrect`. Default true. */
  readonly save?: boolean
}

export interface StartedProcess {
  readonly name: string
  readonly pid: number
  /** PM2's word: `online`, `errored`, `stopped`, … */
  readonly status: string
  readonly restarts: number
}

const run = promisify(execFile)

/**
 * Starts every process of an ecosystem file by PM2, those that run already again, and gives what runs then, by name. Rejects with CF14012 when there is no such file, CF14531 when there is no PM2, CF14532 when it
 * can't start the file, CF14533 when processes are not online afterwards (the others run on).
 */
export async function startAll(options: StartAllOptions): Promise<readonly StartedProcess[]> {
  if (!existsSync(options.file)) throw fail('CF14012', { path: options.file, reason: 'there is none' })
  await pm2(options, ['start', options.file])
  const processes = await listProcesses(options)
  const missing = processes.filter(({ status }) => status !== 'online').map(({ name }) => name)
  if (missing.length > 0) throw fail('CF14533', { names: missing.join(', ') })
  if (options.save !== false) await pm2(options, ['save'])
  return processes
}

/** What PM2 runs now whose name begins with `mcp-`. */
export async function listProcesses(options: Omit<StartAllOptions, 'file'>): Promise<readonly StartedProcess[]> {
  const text = await pm2(options, ['jlist', '--silent'])
  // PM2 may say other things first, such as that it started its daemon.
  return parsedList(text.slice(Math.max(0, text.search(/^\[(\{|\])/m))))
    .filter(({ name }) => name.startsWith('mcp-'))
    .map(({ name, pid, pm2_env }) => ({ name, pid, status: pm2_env.status, restarts: pm2_env.restart_time }))
    .sort((left, right) => (left.name < right.name ? -1 : 1))
}

interface ListedProcess {
  readonly name: string
  readonly pid: number
  readonly pm2_env: { readonly status: string; readonly restart_time: number }
}

function parsedList(text: string): readonly ListedProcess[] {
  try {
    return JSON.parse(text) as readonly ListedProcess[]
  } catch (error) {
    throw fail('CF14532', { reason: 'it gave no list of processes' }, error)
  }
}

async function pm2(options: Omit<StartAllOptions, 'file'>, given: readonly string[]): Promise<string> {
  try {
    const { stdout } = await run(options.pm2 ?? 'pm2', given, {
      timeout: startMsMax,
      maxBuffer: listBytesMax,
      env: { ...process.env, ...options.environment },
    })
    return stdout
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw fail('CF14531', {}, error)
    const { stderr, stdout } = error as { stderr?: string; stdout?: string }
    const said = (stderr || stdout || '').trim().split('\n').at(-1)
    throw fail('CF14532', { reason: said || reasonOf(error) }, error)
  }
}
