import { describeAccess } from '@crossfade/http-api/describe-api.ts'
import type { RouteOptions } from 'fastify'

/** What statuses mean in this API besides the usual. */
export const meanings: Readonly<Record<string, string>> = {
  '202': 'Taken down in the journal; live events and `getMigration` tell what becomes of it.',
}

/** Says in each operation who may call it. For the `transform` of @fastify/swagger. */
export function describeRole<Schema>(transformed: { schema: Schema; url: string; route: RouteOptions }): {
  schema: Schema
  url: string
} {
  const { schema, url, route } = transformed
  const access = route.config?.access ?? 'viewer'
  const isOpen = access === 'open'
  return { schema: describeAccess(schema, isOpen ? 'Needs no token.' : `Needs the role ${access}.`, isOpen), url }
}
