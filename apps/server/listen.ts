import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import type { MigrationService } from '@crossfade/engine/contract.ts'
import { fail, reasonOf } from '@crossfade/model/failure.ts'
import { startTracing } from '@crossfade/telemetry/tracing.ts'
import type { FastifyBaseLogger } from 'fastify'
import type { Access } from './authentication.ts'
import type { Planning } from './planning.ts'
import { createServer, type Tls } from './server.ts'
import { tokensOfFile } from './tokens-file.ts'

export interface ListenOptions {
  readonly service: MigrationService
  readonly planning: Planning
  /** Default 127.0.0.1. Any other than a loopback address needs `tokensFile`. */
  readonly host?: string
  /** Default 7070; 0 takes a free one. */
  readonly port?: number
  /** Lines of `name:role:sha256`, read again when the file changes. Without it everybody on this machine is admin, and nobody else gets in. */
  readonly tokensFile?: string | null
  /** PEM files; without them the server speaks plain HTTP. */
  readonly tls?: { readonly certificateFile: string; readonly keyFile: string } | null
  /** Folder of the built console; null serves the API alone. */
  readonly consoleDirectory: string | null
  readonly logger?: FastifyBaseLogger | null
  readonly version: string
  /** OTLP collector for spans; default OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly tracingEndpoint?: string | null
}

export interface RunningServer {
  /** With the port it really has: `http://127.0.0.1:7070`. */
  readonly url: string
  readonly port: number
  /** Ends live events, lets requests finish for at most `closeMsMax`, then cuts what is left. Idempotent. */
  close(): Promise<void>
}

export const defaultPort = 7070
/** Requests that are under way when the server is told to stop get this long. */
export const closeMsMax = 5_000

/**
 * Serves API, console, metrics and health endpoints until `close`.
 * Rejects with CF7207 (open to others without tokens), CF7208 (port in use), CF7209 (cannot listen there), CF7204 or CF7210 (tokens file), CF7211 (certificate or key).
 */
export async function startServer(options: ListenOptions): Promise<RunningServer> {
  const { host = '127.0.0.1', port = defaultPort, logger = null } = options
  const isLocal = isLoopback(host)
  const tokensFile = options.tokensFile ?? null
  if (!isLocal && tokensFile === null) throw fail('CF7207', { host })
  const tls = options.tls ? readTls(options.tls) : null
  const access = tokensFile === null ? { kind: 'local' as const } : accessByFile(tokensFile, logger)
  if (!isLocal && tls === null)
    logger?.warn({ host }, 'tokens travel unencrypted: put a TLS proxy in front, or use --tls-cert and --tls-key')
  const tracingEndpoint = options.tracingEndpoint ?? process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? null
  const stopTracing = tracingEndpoint ? await startTracing(tracingEndpoint, options.version) : null

  const app = await createServer({
    service: options.service,
    planning: options.planning,
    access,
    consoleDirectory: options.consoleDirectory,
    logger: logger ?? false,
    version: options.version,
    tls,
  })
  try {
    await app.listen({ host, port })
  } catch (error) {
    await app.close()
    await stopTracing?.()
    throw listenFailure(error, host, port)
  }
  const address = app.server.address()
  const taken = typeof address === 'object' && address !== null ? address.port : port
  const url = `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${taken}`
  logger?.info({ url, access: access.kind }, 'serving')

  let closing: Promise<void> | null = null
  const close = async () => {
    const cut = setTimeout(() => app.server.closeAllConnections(), closeMsMax)
    await app.close()
    clearTimeout(cut)
    await Promise.race([stopTracing?.().catch(() => undefined), after(closeMsMax)])
    logger?.info({ url }, 'stopped')
  }
  return {
    url,
    port: taken,
    close: () => {
      closing ??= close()
      return closing
    },
  }
}

function accessByFile(path: string, logger: FastifyBaseLogger | null): Access {
  const tokens = tokensOfFile(path, logger)
  if (tokens().length === 0) logger?.warn({ path }, 'the tokens file is empty, so nobody can get in')
  return {
    kind: 'tokens',
    get tokens() {
      return tokens()
    },
  }
}

function readTls(files: { readonly certificateFile: string; readonly keyFile: string }): Tls {
  try {
    const pair = { cert: readFileSync(files.certificateFile, 'utf8'), key: readFileSync(files.keyFile, 'utf8') }
    // Says now whether they belong together.
    createSecureContext(pair)
    return pair
  } catch (error) {
    throw fail('CF7211', { reason: reasonOf(error) }, error)
  }
}

function listenFailure(error: unknown, host: string, port: number): unknown {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'EADDRINUSE') return fail('CF7208', { host, port }, error)
  return fail('CF7209', { host, port, reason: reasonOf(error) }, error)
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

function after(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds).unref())
}
