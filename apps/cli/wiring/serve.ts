import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { MigrationService } from '@crossfade/engine/contract.ts'
import { fail, reasonOf } from '@crossfade/model/failure.ts'
import { type Access, parseTokens } from '@crossfade/server/authentication.ts'
import { createServer } from '@crossfade/server/server.ts'
import { pino } from 'pino'
import { version } from '../version.ts'
import { textPlanning } from './planning.ts'

const consoleDirectory = fileURLToPath(new URL('../../console/dist', import.meta.url))
const loopback = ['127.0.0.1', '::1', 'localhost']

export interface ServeOptions {
  readonly port: number
  readonly host?: string
  /** File of `name:role:sha256` lines. Without one, only this machine may ask, without token. */
  readonly tokens?: string | undefined
  /** Log requests that fail, and what the server does, as JSON lines on standard error. */
  readonly log?: boolean
}

export interface Serving {
  readonly url: string
  close(): Promise<void>
}

/** Serves the REST API and the console. CF7007 when it would listen to the world without tokens. */
export async function serve(service: MigrationService, options: ServeOptions): Promise<Serving> {
  const host = options.host ?? '127.0.0.1'
  const access = accessOf(options.tokens)
  if (access.kind === 'local' && !loopback.includes(host)) {
    const reason = `without --tokens it may only listen on this machine, not on ${host}`
    throw fail('CF7007', { option: '--host', reason, command: 'server' })
  }
  const logger = options.log ? pino({ level: 'info' }, pino.destination(2)) : false
  const app = await createServer({ service, planning: textPlanning, access, consoleDirectory, logger, version })
  try {
    const url = await app.listen({ host, port: options.port })
    return { url, close: () => app.close() }
  } catch (error) {
    await app.close()
    throw fail('CF7009', { host, port: options.port, reason: reasonOf(error) }, error)
  }
}

function accessOf(path: string | undefined): Access {
  if (path === undefined) return { kind: 'local' }
  try {
    return { kind: 'tokens', tokens: parseTokens(readFileSync(path, 'utf8')) }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw fail('CF7007', { option: '--tokens', reason: `there is no file ${path}`, command: 'server' })
  }
}
