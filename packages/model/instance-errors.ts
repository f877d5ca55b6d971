import type { ErrorDefinition } from './error-definition.ts'

/** CF12xxx instances, tokens, accounts and the platform's database. */
export const instanceErrors = {
  CF12001: {
    sentence: 'This token opens no such instance.',
    remedy:
      'Copy address and token from the console again, or make a new token there; tokens expire and can be revoked.',
    retry: false,
  },
} as const satisfies Readonly<Record<string, ErrorDefinition>>
