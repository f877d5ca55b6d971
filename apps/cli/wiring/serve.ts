import { fileURLToPath } from 'node:url'
import type { MigrationService } from '@crossfade/engine/contract.ts'
import { startServer } from '@crossfade/server/listen.ts'
import { createLogger, type LogLevel } from '@crossfade/telemetry/logger.ts'
import { version } from '../version.ts'
import { textPlanning } from './planning.ts'

const consoleDirectory = fileURLToPath(new URL('../../console/dist', import.meta.url))

export interface ServeOptions {
  readonly port: number
  readonly host?: string
  /** File of `name:role:sha256` lines. Without one, only this machine may ask, without token. */
  readonly tokensFile?: string | undefined
  readonly tls?: { readonly certificateFile: string; readonly keyFile: string } | undefined
  /** Writes a structured log on standard error; silent without. */
  readonly logLevel?: LogLevel | undefined
}

export interface Serving {
  readonly url: string
  close(): Promise<void>
}

/** Serves the REST API and the console. Fails as `startServer` does. */
export function serve(service: MigrationService, options: ServeOptions): Promise<Serving> {
  const { host = '127.0.0.1', port, tokensFile = null, tls = null, logLevel } = options
  const logger = logLevel === undefined ? null : createLogger(logLevel)
  return startServer({
    service,
    planning: textPlanning,
    host,
    port,
    tokensFile,
    tls,
    consoleDirectory,
    logger,
    version,
  })
}
