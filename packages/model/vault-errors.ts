import type { ErrorDefinition } from './error-definition.ts'

/** CF11xxx the vault, its keys and their rotation. */
export const vaultErrors = {} as const satisfies Readonly<Record<string, ErrorDefinition>>
