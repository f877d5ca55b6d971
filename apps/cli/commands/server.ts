import { InvalidArgumentError } from 'commander'
import { interruption } from '../terminal/interrupt.ts'
import { printJson, printNote } from '../terminal/output.ts'
import type { Register } from './command.ts'
import { type ControlOptions, withControl, withCrossfade } from './context.ts'
import { wholeNumber } from './options.ts'

const roles = ['api', 'worker'] as const
type Role = (typeof roles)[number]

interface ServerOptions extends ControlOptions {
  readonly roles: readonly Role[]
  readonly host: string
  readonly port: number
  readonly tokens?: string
}

export const registerServer: Register = (program) => {
  withControl(
    program
      .command('server')
      .summary('run the REST API, the console and workers for a team')
      .description(
        'Runs the REST API, the console and workers until it is told to stop. Any number of servers may share one control database; --roles says what this one does.',
      )
      .option('--roles <list>', 'api, worker, or both', rolesOption, roles)
      .option('--host <address>', 'the address to listen on', '127.0.0.1')
      .option('--port <port>', 'the port to listen on', wholeNumber, 7070)
      .option('--tokens <file>', 'who may ask: lines of name:role:sha256; needed to listen beyond this machine'),
    'crossfade server --roles api,worker --control postgres://crossfade@db/control',
  ).action(async (options: ServerOptions) => {
    await withCrossfade(options, async (crossfade) => {
      const isApi = options.roles.includes('api')
      const { host, port, tokens } = options
      const serving = isApi ? await crossfade.serve({ host, port, tokens, log: true }) : null
      if (options.roles.includes('worker')) await crossfade.work()
      if (options.json) printJson({ url: serving?.url ?? null, roles: options.roles })
      else printNote(serving ? `Console and API on ${serving.url}. Ctrl-C stops it.` : 'Working. Ctrl-C stops it.')
      if (!interruption.aborted) {
        await new Promise<void>((resolve) => interruption.addEventListener('abort', () => resolve(), { once: true }))
      }
    })
  })
}

function rolesOption(text: string): readonly Role[] {
  const given = text.split(',').map((role) => role.trim())
  for (const role of given) {
    if (!(roles as readonly string[]).includes(role))
      throw new InvalidArgumentError(`Give a list of ${roles.join(', ')}.`)
  }
  return given as Role[]
}
