import { dirname, resolve } from 'node:path'
import type { Command } from 'commander'
import { printJson, printNote, printText } from '../../terminal/output.ts'
import { colour } from '../../terminal/style.ts'
import { writeNewFile } from '../../terminal/write-new-file.ts'
import { type CommonOptions, common } from '../command.ts'
import { portNumber } from '../options.ts'
import { workerCount } from './worker-count.ts'

interface EcosystemOptions extends CommonOptions {
  readonly perService?: boolean
  readonly workers: number
  readonly port: number
  readonly out: string
  readonly force?: boolean
}

interface StartOptions extends CommonOptions {
  readonly file: string
  readonly pm2?: string
}

interface CheckOptions extends CommonOptions {
  readonly perService?: boolean
  readonly port: number
  readonly all?: boolean
}

const defaultFile = 'ecosystem.config.cjs'
const programDirectory = resolve(import.meta.dirname, '..', '..', '..', '..')

/** `crossfade mcp ecosystem`, `start-all` and `health-check`: for installations whose processes PM2 keeps. */
export function registerProcesses(mcp: Command, end: (code: number) => void): void {
  common(
    mcp
      .command('ecosystem')
      .summary('write a PM2 ecosystem file')
      .description(
        'Writes an ecosystem file for PM2: workers that share a port, or with --per-service a process for each service on its static port. The workers share the database and the master key of this directory.',
      )
      .option('--per-service', 'one process for each service')
      .option('--workers <count>', 'shared workers', workerCount, 2)
      .option('--port <port>', 'port of the shared workers', portNumber, 7070)
      .option('--out <file>', 'where to', defaultFile)
      .option('--force', 'overwrite the file'),
    'crossfade mcp ecosystem --per-service && pm2 start ecosystem.config.cjs',
  ).action(ecosystem)
  common(
    mcp
      .command('start-all')
      .summary('start every process of the ecosystem file by PM2')
      .description('Starts (or restarts) every process of the file by PM2, has PM2 remember them, and shows what runs.')
      .option('--file <file>', 'the ecosystem file', defaultFile)
      .option('--pm2 <program>', 'the program, where it is not on PATH'),
    'crossfade mcp start-all',
  ).action(start)
  common(
    mcp
      .command('health-check')
      .summary('ask every process whether it answers')
      .description('Asks the shared workers, or with --per-service every static port. Exits with 1 when one is silent.')
      .option('--per-service', 'every service on its static port')
      .option('--port <port>', 'port of the shared workers', portNumber, 7070)
      .option('--all', 'show those that answer, too'),
    'crossfade mcp health-check --per-service',
  ).action((options: CheckOptions) => check(options, end))
}

async function ecosystem(options: EcosystemOptions): Promise<void> {
  const { ecosystemFile } = await import('@crossfade/gateway-app/ecosystem.ts')
  const file = resolve(options.out)
  const services = await localPorts()
  const text = ecosystemFile(services, {
    perService: options.perService ?? false,
    workers: options.workers,
    port: options.port,
    fileDirectory: dirname(file),
    programDirectory,
    workingDirectory: process.cwd(),
  })
  writeNewFile(options.out, text, options.force ?? false)
  const processes = options.perService ? services.length : options.workers
  if (options.json) return printJson({ file, processes })
  printText(`${colour.green('✓')} ${options.out}: ${processes} processes`)
  printNote(colour.dim('  Start them: crossfade mcp start-all, or pm2 start'))
}

async function start(options: StartOptions): Promise<void> {
  const { startAll } = await import('@crossfade/gateway-app/start-all.ts')
  const processes = await startAll({
    file: resolve(options.file),
    ...(options.pm2 === undefined ? {} : { pm2: options.pm2 }),
  })
  if (options.json) return printJson(processes)
  for (const { name, pid, status } of processes) printText(`  ${name}  ${status}  ${pid}`)
  printText(`${colour.green('✓')} ${processes.length} processes run`)
}

async function check(options: CheckOptions, end: (code: number) => void): Promise<void> {
  const { checkHealth, healthExitCode, healthReport } = await import('@crossfade/gateway-app/health-check.ts')
  const at = (port: number) => `http://127.0.0.1:${port}/readyz`
  const targets = options.perService
    ? (await localPorts()).map(({ serviceType, port }) => ({ name: `mcp-${serviceType}`, url: at(port) }))
    : [{ name: 'mcp-gateway', url: at(options.port) }]
  const answers = await checkHealth(targets)
  end(healthExitCode(answers))
  if (options.json) return printJson(answers)
  printText(healthReport(answers, options.all ?? false))
}

async function localPorts() {
  const { homePaths } = await import('@crossfade/gateway-app/home.ts')
  const { serveCatalog } = await import('@crossfade/gateway-app/served-catalog.ts')
  const { catalog } = await serveCatalog(homePaths())
  return [...catalog.services.values()].map(({ config }) => ({ serviceType: config.serviceType, port: config.port }))
}
