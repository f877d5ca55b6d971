import type { ErrorDefinition } from './error-definition.ts'

/** CF14xxx the edge, workers and processes of the platform. */
export const processErrors = {} as const satisfies Readonly<Record<string, ErrorDefinition>>
