import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify'
import type { Caller, Role } from './authentication.ts'

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller
  }
  interface FastifyContextConfig {
    /** Who may call the route; `open` needs no token. Default: `viewer` for the API, `open` for the console's files. */
    access?: Role | 'open'
    /** Stays open as long as its reader likes, so that the time it takes is no measure of anything. */
    isStream?: boolean
  }
}

/** What routes are added to: types of parameters, bodies and answers follow from a route's schema. */
export type Api = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>
