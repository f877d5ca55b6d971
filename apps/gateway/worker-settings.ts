import type { ExternalIssuer } from '@crossfade/accounts/external-issuers.ts'
import type { LimitSettings } from '@crossfade/mcp/limits/settings.ts'
import type { RoleUrls } from '@crossfade/mcp-database/roles.ts'
import type { ErrorCode } from '@crossfade/model/error-codes.ts'
import type { Details } from '@crossfade/model/failure.ts'
import type { LogLevel } from '@crossfade/telemetry/logger.ts'

/** Everything a worker must know; plain data, handed over a private channel because some of it is secret. */
export interface WorkerSettings {
  /** The working directory, in whose home the installation keeps what it makes. */
  readonly directory: string
  readonly roles: RoleUrls
  /** Derived secrets of the installation, base64: the same in every process. */
  readonly secrets: { readonly accounts: string; readonly pepper: string; readonly questions: string }
  readonly host: string
  readonly port: number
  /** Other workers listen on the same port. */
  readonly shared: boolean
  /** Every service's static port is listened on as well. */
  readonly staticPorts: boolean
  /** The only service served, on its own port: one process per service. Null: all of them. */
  readonly onlyService: string | null
  /** Public address, without a slash at the end. */
  readonly baseUrl: string
  readonly allowedHosts: readonly string[]
  readonly allowedOrigins: readonly string[]
  /** Proxies that are believed for whom they ask. Default: those of this machine, where the public address is another one. */
  readonly trustedProxies?: readonly string[]
  /** Private `host:port` that upstreams may have: for upstreams of one's own. */
  readonly allowedUpstreams: readonly string[]
  /** Authorization servers of others whose tokens open instances. Default: none. */
  readonly externalIssuers?: readonly ExternalIssuer[]
  readonly limits: LimitSettings
  readonly signUp: boolean
  readonly healthChecks: boolean
  /** Where alerts are posted; null: they are in the database alone. Often a secret by itself. */
  readonly alertsUrl: string | null
  readonly consoleDirectory: string | null
  readonly logLevel: LogLevel
  readonly version: string
}

export type ToWorker = { readonly kind: 'settings'; readonly settings: WorkerSettings }
export type FromWorker =
  | { readonly kind: 'ready'; readonly port: number; readonly services: number }
  | {
      readonly kind: 'failed'
      readonly reason: string
      /** What its parent fails with as well; null: a failure without a code. */
      readonly failure: { readonly code: ErrorCode; readonly details: Details } | null
    }
