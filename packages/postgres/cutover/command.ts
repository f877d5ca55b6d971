import { spawn } from 'node:child_process'
import { fail, reasonOf } from '@crossfade/model/failure.ts'
import type { CommandHook, HookContext, HookMoment } from './hooks.ts'

/** Characters of the program's last words that the failure quotes. */
const outputKeptMax = 400
/** What a program that was asked to stop has left before it is killed. */
const graceMs = 500

/**
 * Runs a program, without a shell, and waits for exit code 0. It learns the moment from its environment: CROSSFADE_MOMENT, _MIGRATION, _FROM, _TO, _UNITS
 * (comma separated) and _EPOCH. Rejects with CF5113 when it fails or takes too long (its whole process group is then ended).
 */
export async function runCommand(hook: CommandHook, moment: HookMoment, context: HookContext): Promise<void> {
  const [program, ...parameters] = hook.command
  if (program === undefined) throw fail('CF5113', { command: '(empty)', reason: 'it names no program' })
  const outcome = await execute(program, parameters, hook.timeoutMs, {
    ...process.env,
    CROSSFADE_MOMENT: moment,
    CROSSFADE_MIGRATION: context.migration,
    CROSSFADE_FROM: context.from,
    CROSSFADE_TO: context.to,
    CROSSFADE_UNITS: context.units.join(','),
    CROSSFADE_EPOCH: String(context.epoch),
  })
  if (outcome !== null) throw fail('CF5113', { command: program, reason: outcome })
}

/** Null when all went well, else why not. */
function execute(
  program: string,
  parameters: string[],
  timeoutMs: number,
  env: NodeJS.ProcessEnv,
): Promise<string | null> {
  return new Promise((resolve) => {
    const child = spawn(program, parameters, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    let late = false
    const keep = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-outputKeptMax)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    const timers = [
      setTimeout(() => {
        late = true
        endGroup(child.pid, 'SIGTERM')
      }, timeoutMs),
      setTimeout(() => endGroup(child.pid, 'SIGKILL'), timeoutMs + graceMs),
    ]
    const settle = (outcome: string | null) => {
      for (const timer of timers) clearTimeout(timer)
      resolve(outcome)
    }
    child.on('error', (error) => settle(reasonOf(error)))
    child.on('exit', (code, signal) => {
      if (late) settle(`it ran for more than ${timeoutMs} ms`)
      else if (code === 0) settle(null)
      else
        settle(
          `${code === null ? `it was ended by ${signal}` : `exit code ${code}`}${output.trim() ? `: ${output.trim()}` : ''}`,
        )
    })
  })
}

/** The program leads a group of its own, so that what it started ends with it. */
function endGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch {
    // It ended in the meantime.
  }
}
