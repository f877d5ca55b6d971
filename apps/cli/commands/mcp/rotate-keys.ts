import type { Command } from 'commander'
import { InvalidArgumentError } from 'commander'
import { exitCodes } from '../../terminal/exit-codes.ts'
import { interruption } from '../../terminal/interrupt.ts'
import { printJson, printNote, printText } from '../../terminal/output.ts'
import { colour } from '../../terminal/style.ts'
import { type CommonOptions, common } from '../command.ts'

const levels = ['master', 'data', 'both'] as const
type Level = (typeof levels)[number]

interface RotateOptions extends CommonOptions {
  readonly level: Level
  readonly database?: string
  readonly before?: Date
}

/** `crossfade mcp rotate-keys`: new keys for what is stored, while everything is served. */
export function registerRotateKeys(mcp: Command, end: (code: number) => void): void {
  common(
    mcp
      .command('rotate-keys')
      .summary('change the keys that credentials are encrypted with, while they are used')
      .description(
        'Wraps every data key with the current master key (level master), gives every user a new data key and encrypts their credentials anew (level data), or both. Nothing stops meanwhile. Run again after an interruption: it goes on. To change the master key, put the new one in front of the old one (id:key,id:key) for every process, run this, then take the old one away.',
      )
      .option('--level <level>', levels.join(', '), level, 'both')
      .option('--before <time>', 'data keys made since then stay: goes on with a run that began then', time)
      .option('--database <url>', 'as for `crossfade mcp serve`'),
    'crossfade mcp rotate-keys --level master',
  ).action(async (options: RotateOptions) => {
    const { rotateKeys } = await import('@crossfade/gateway-app/rotate-keys.ts')
    const rotated = await rotateKeys({
      level: options.level,
      database: options.database,
      before: options.before,
      signal: interruption,
      onProgress: (text) => options.json || printNote(colour.dim(text)),
    })
    const unopened = rotated.data?.unopened ?? []
    if (unopened.length > 0) end(exitCodes.failure)
    if (options.json) return printJson(rotated)
    if (rotated.master)
      printText(`${colour.green('✓')} ${rotated.master.rewrapped} data keys are under the current master key.`)
    if (rotated.data) {
      printText(
        `${colour.green('✓')} ${rotated.data.users} users have new data keys, ${rotated.data.instances} credentials were encrypted anew.`,
      )
    }
    for (const instance of unopened) printText(`${colour.red('✗')} ${instance} does not open and was left as it is.`)
  })
}

function level(text: string): Level {
  const found = levels.find((known) => known === text)
  if (found === undefined) throw new InvalidArgumentError(`Give one of ${levels.join(', ')}.`)
  return found
}

function time(text: string): Date {
  const found = new Date(text)
  if (Number.isNaN(found.getTime())) throw new InvalidArgumentError('Give a time like 2026-11-21T10:00:00Z.')
  return found
}
