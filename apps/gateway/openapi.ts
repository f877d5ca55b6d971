import { describeAccess } from '@crossfade/http-api/describe-api.ts'
import type { RouteOptions } from 'fastify'

const who = {
  nobody: 'Needs nobody signed in.',
  user: 'Needs somebody signed in: a session, or an API token.',
  admin: 'Needs an administrator.',
} as const

/** Says in each operation who may call it. For the `transform` of @fastify/swagger. */
export function describeNeeds<Schema>(transformed: { schema: Schema; url: string; route: RouteOptions }): {
  schema: Schema
  url: string
} {
  const { schema, url, route } = transformed
  const needs = route.config?.needs ?? 'user'
  return { schema: describeAccess(schema, who[needs], needs === 'nobody'), url }
}
