import { fail } from '@crossfade/model/failure.ts'
import { InvalidArgumentError } from 'commander'
import { interruption } from '../terminal/interrupt.ts'
import { printJson, printNote, printText } from '../terminal/output.ts'
import { type CommonOptions, common, type Register } from './command.ts'
import { type ControlOptions, withControl, withCrossfade } from './context.ts'
import { wholeNumber } from './options.ts'

const roles = ['api', 'worker'] as const
type Role = (typeof roles)[number]

interface ServerOptions extends ControlOptions {
  readonly roles: readonly Role[]
  readonly host: string
  readonly port: number
  readonly tokens?: string
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly alerts?: string
}

export const registerServer: Register = (program) => {
  const server = withControl(
    program
      .command('server')
      .summary('run the REST API, the console and workers for a team')
      .description(
        'Runs the REST API, the console and workers until it is told to stop. Any number of servers may share one control database; --roles says what this one does.',
      )
      .option('--roles <list>', 'api, worker, or both', rolesOption, roles)
      .option('--host <address>', 'the address to listen on', '127.0.0.1')
      .option('--port <port>', 'the port to listen on', wholeNumber, 7070)
      .option('--tokens <file>', 'who may ask: lines of name:role:sha256; needed to listen beyond this machine')
      .option('--tls-cert <file>', 'PEM certificate to serve HTTPS with')
      .option('--tls-key <file>', 'PEM key of the certificate')
      .option('--alerts <url>', 'where alerts are posted as JSON'),
    'crossfade server --roles api,worker --control postgres://crossfade@db/control',
  ).action(run)
  common(
    server
      .command('token')
      .summary('make a token for the API')
      .description('Makes a bearer token and the line for the tokens file. The token is shown once and kept nowhere.')
      .argument('<name>', 'whose token it is')
      .argument('<role>', 'viewer, operator or admin'),
    'crossfade server token alice operator',
  ).action(async (name: string, role: string, options: CommonOptions) => {
    const { makeToken } = await import('@crossfade/server/make-token.ts')
    const made = makeToken(name, role)
    if (options.json) return printJson(made)
    printNote('Append this line to the tokens file, and give the token to its owner:')
    printText(`${made.line}\n${made.token}`)
  })
}

async function run(options: ServerOptions): Promise<void> {
  await withCrossfade(options, async (crossfade) => {
    const { host, port, tokens: tokensFile } = options
    const tls = tlsOf(options)
    const serving = options.roles.includes('api')
      ? await crossfade.serve({ host, port, tokensFile, tls, logLevel: 'info' })
      : null
    if (options.roles.includes('worker')) await crossfade.work({ alertUrl: options.alerts })
    if (options.json) printJson({ url: serving?.url ?? null, roles: options.roles })
    else printNote(serving ? `Console and API on ${serving.url}. Ctrl-C stops it.` : 'Working. Ctrl-C stops it.')
    if (interruption.aborted) return
    await new Promise<void>((resolve) => interruption.addEventListener('abort', () => resolve(), { once: true }))
  })
}

function tlsOf({ tlsCert, tlsKey }: ServerOptions) {
  if (tlsCert === undefined && tlsKey === undefined) return undefined
  if (tlsCert !== undefined && tlsKey !== undefined) return { certificateFile: tlsCert, keyFile: tlsKey }
  throw fail('CF7007', { option: '--tls-cert', reason: '--tls-cert and --tls-key go together', command: 'server' })
}

function rolesOption(text: string): readonly Role[] {
  const given = text.split(',').map((role) => role.trim())
  for (const role of given) {
    if (!(roles as readonly string[]).includes(role))
      throw new InvalidArgumentError(`Give a list of ${roles.join(', ')}.`)
  }
  return given as Role[]
}
