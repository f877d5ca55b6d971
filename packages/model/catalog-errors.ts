import type { ErrorDefinition } from './error-definition.ts'

/** CF10xxx the catalog, its files and what is imported into it. */
export const catalogErrors = {} as const satisfies Readonly<Record<string, ErrorDefinition>>
