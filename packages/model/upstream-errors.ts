import type { ErrorDefinition } from './error-definition.ts'

/** CF13xxx calls of tools, upstream services and their limits. */
export const upstreamErrors = {} as const satisfies Readonly<Record<string, ErrorDefinition>>
