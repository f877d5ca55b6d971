// What the API is given, and what its routes have alike.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Accounts } from '@crossfade/accounts/accounts.ts'
import type { AuthorizationStores } from '@crossfade/mcp/authorization/authorize.ts'
import type { PlatformDirectory } from '@crossfade/mcp/instances/directory.ts'
import type { Acting } from '@crossfade/mcp/instances/store-credential.ts'
import type { CallLimits } from '@crossfade/mcp/limits/limits.ts'
import type { PlatformToolCaller } from '@crossfade/mcp/upstream/tool-caller.ts'
import type { UsageRecorder } from '@crossfade/mcp/usage/usage.ts'
import type { UserProof } from '@crossfade/mcp-database/as-user.ts'
import type { UserId } from '@crossfade/model/platform-ids.ts'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify'
import type { ImportKeeper } from './imports/import-keeper.ts'
import type { RequestLimits } from './request-rates.ts'

/** Who is asking. */
export interface Asking {
  readonly userId: UserId
  readonly email: string
  readonly name: string | null
  readonly image: string | null
  readonly role: 'member' | 'admin'
  readonly via: 'session' | 'api_token'
  readonly proof: UserProof
  /** What an API token may do; a session may do both. */
  readonly scopes: ReadonlySet<'read' | 'write'>
}

/** What a route needs of who calls it. Default: somebody signed in, with `write` for everything but GET. */
export type Needs = 'nobody' | 'user' | 'admin'

declare module 'fastify' {
  interface FastifyRequest {
    /** Null where a route needs nobody and nobody is signed in. */
    asking: Asking | null
  }
  interface FastifyContextConfig {
    needs?: Needs
    /** A request by another method than GET that changes nothing which a worker holds. */
    changesNothing?: boolean
  }
}

/** What routes are added to: types of parameters, bodies and answers follow from a route's schema. */
export type GatewayApi = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

/** Everything that the API works with. Nothing of it is closed by the API. */
export interface ApiOptions extends AuthorizationStores {
  readonly accounts: Pick<Accounts, 'handle' | 'sessionOf' | 'paths' | 'applicationsOf' | 'endApplication'>
  readonly directory: Pick<PlatformDirectory, 'openForUser'>
  readonly caller: Pick<PlatformToolCaller, 'call' | 'serviceFor' | 'forgetRemote'>
  readonly limits: Pick<CallLimits, 'admit' | 'ended'>
  readonly usage: Pick<UsageRecorder, 'record'>
  /** Resolves when every worker knows of what was changed before. Null: there is only one. */
  readonly everybodyHeard?: (() => Promise<boolean>) | null
  /** Origins whose pages may change things with a session, besides `baseUrl`'s own. */
  readonly trustedOrigins?: readonly string[]
  /** Addresses and networks of proxies that say by `X-Forwarded-For` for whom they ask; nobody else is believed. */
  readonly trustedProxies?: readonly string[]
  /** What one account may ask of this worker. Default: `requestLimits`. */
  readonly requestLimits?: RequestLimits
  /** Services whose calls this worker holds back now. */
  readonly pausedServices?: () => ReadonlySet<string>
  /** Null: this server takes no services in. */
  readonly imports: ImportKeeper | null
  /** Text and content type of the metrics page; null: there is none. */
  readonly metrics: (() => Promise<{ readonly contentType: string; readonly text: string }>) | null
  readonly signUp: boolean
  readonly version: string
  readonly logger: FastifyBaseLogger | false
}

/** As whom a request acts, and from where. Only in routes that need somebody. */
export function actingOf(request: { asking: Asking | null; ip: string }): Acting {
  return { proof: request.asking!.proof, sourceIp: request.ip }
}
