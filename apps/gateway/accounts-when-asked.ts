import type { Accounts } from '@crossfade/accounts/accounts.ts'
import type { AccountsOptions } from '@crossfade/accounts/accounts-options.ts'
import { accountPaths } from '@crossfade/accounts/paths.ts'

/** Accounts as the API uses them. */
export type ServedAccounts = Pick<
  Accounts,
  'handle' | 'sessionOf' | 'paths' | 'applicationsOf' | 'endApplication' | 'close'
>

/** Accounts whose library, the largest of all, is loaded when somebody first signs in or comes with a session: a worker that serves MCP clients alone never carries it. */
export function accountsWhenAsked(options: AccountsOptions): ServedAccounts {
  let opened: Promise<Accounts> | null = null
  const load = async () => {
    const { createAccounts } = await import('@crossfade/accounts/accounts.ts')
    return createAccounts(options)
  }
  const open = () => {
    opened ??= load().catch((error: unknown) => {
      // Who signs in next tries again.
      opened = null
      throw error
    })
    return opened
  }
  return {
    paths: accountPaths,
    handle: async (request, caller) => (await open()).handle(request, caller),
    sessionOf: async (headers) => (headers.has('cookie') ? (await open()).sessionOf(headers) : null),
    applicationsOf: async (userId) => (await open()).applicationsOf(userId),
    endApplication: async (userId, id) => (await open()).endApplication(userId, id),
    close: async () => (await opened?.catch(() => null))?.close(),
  }
}
