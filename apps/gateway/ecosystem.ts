// The PM2 ecosystem file of an installation: for those whose processes PM2 keeps. PM2 itself is no part of Crossfade.
import { relative, sep } from 'node:path'
import { fail } from '@crossfade/model/failure.ts'
import type { ServiceType } from '@crossfade/model/platform-ids.ts'
import { servingNodeOptions } from './heap.ts'

export interface EcosystemService {
  readonly serviceType: ServiceType
  readonly port: number
}

export interface EcosystemOptions {
  /** One process for each service, on the service's own port. Default: a few workers that serve all services on one port. */
  readonly perService?: boolean
  /** Of the shared workers. */
  readonly workers?: number
  readonly port?: number
  /** Where the file will be: everything else is named relative to it, so that the whole can be moved. */
  readonly fileDirectory: string
  /** Where Crossfade is: holds node_modules and apps. */
  readonly programDirectory: string
  /** Whose `.crossfade` holds database, master key and imported services. */
  readonly workingDirectory: string
  /** The worker's script, below the program directory. */
  readonly script?: string
}

/** A worker that takes more is restarted; one that serves everything holds more than one that serves a single service. */
export const sharedMemoryMegabytesMax = 600
export const serviceMemoryMegabytesMax = 250
/** First rest before a worker that died is started again; PM2 makes it half as long again each time, up to 15 s. */
export const restartRestMs = 200
/** Time to finish requests under way. More than the worker itself takes: it ends before it is killed. */
export const killMsMax = 10_000
/** Time to become ready. */
export const readyMsMax = 60_000
const workerScript = 'apps/gateway/worker-main.ts'

/**
 * The text of an `ecosystem.config.cjs`: `pm2 start` takes it. Processes are named `mcp-gateway`, or `mcp-figma`, `mcp-github` and so on. They say when they are ready, and
 * are asked by a message to end. The same services give the same text, in the order of their names. Holds no secret. Throws CF14530 when two services have one port.
 */
export function ecosystemFile(services: readonly EcosystemService[], options: EcosystemOptions): string {
  const sorted = services.toSorted((left, right) => (left.serviceType < right.serviceType ? -1 : 1))
  checkPorts(sorted)
  const apps = options.perService ? sorted.map(serviceApp) : [sharedApp(options)]
  const { fileDirectory, programDirectory, workingDirectory, script = workerScript } = options
  const from = (directory: string) => JSON.stringify(relative(fileDirectory, directory).split(sep).join('/') || '.')
  const megabytes = options.perService ? serviceMemoryMegabytesMax : sharedMemoryMegabytesMax
  return `// Written by \`crossfade mcp ecosystem\`: write it anew instead of changing it. Start with \`pm2 start\`, end with \`pm2 delete\`.
const { join, resolve } = require('node:path')
const program = resolve(__dirname, ${from(programDirectory)})

const worker = {
  script: join(program, ${JSON.stringify(script)}),
  interpreter: join(program, 'node_modules/.bin/node'),
  node_args: [${servingNodeOptions.map((option) => `'${option}'`).join(', ')}],
  cwd: resolve(__dirname, ${from(workingDirectory)}),
  exec_mode: 'fork',
  wait_ready: true,
  listen_timeout: ${readyMsMax},
  shutdown_with_message: true,
  kill_timeout: ${killMsMax},
  max_memory_restart: '${megabytes}M',
  exp_backoff_restart_delay: ${restartRestMs},
  merge_logs: true,
  // PM2 would look for a repository, and load its own agent into every process.
  vizion: false,
  pmx: false,
}

module.exports = {
  apps: [
${apps.map((app) => `    { ...worker, ${app} },`).join('\n')}
  ],
}
`
}

function serviceApp({ serviceType, port }: EcosystemService): string {
  const type = JSON.stringify(serviceType)
  const environment = `{ MCP_TYPE: ${type}, PORT: '${port}', SERVICE_MODE: 'shared' }`
  return `name: ${JSON.stringify(`mcp-${serviceType}`)}, args: ['--service', ${type}, '--port', '${port}'], env: ${environment}`
}

/** Workers share the port: each takes connections of its own (SO_REUSEPORT). */
function sharedApp({ workers = 2, port = 7070 }: EcosystemOptions): string {
  const environment = `{ PORT: '${port}', SERVICE_MODE: 'shared' }`
  return `name: 'mcp-gateway', instances: ${workers}, args: ['--port', '${port}', '--shared'], env: ${environment}`
}

function checkPorts(services: readonly EcosystemService[]): void {
  const byPort = new Map<number, ServiceType>()
  for (const { serviceType, port } of services) {
    const other = byPort.get(port)
    if (other !== undefined) throw fail('CF14530', { port, one: other, other: serviceType })
    byPort.set(port, serviceType)
  }
}
