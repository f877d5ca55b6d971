import type { ErrorDefinition } from './error-definition.ts'

/** CF12xxx instances, tokens, accounts and the platform's database. */
export const instanceErrors = {} as const satisfies Readonly<Record<string, ErrorDefinition>>
