import type { Pool } from 'pg'
import type { AccountSession, AccountsOptions } from './accounts-options.ts'
import type { SignInLibrary } from './sign-in-library.ts'

/** What the parts of this package share. */
export interface AccountsContext {
  readonly options: AccountsOptions
  readonly library: SignInLibrary
  readonly pool: Pool
  sessionOf(headers: Headers): Promise<AccountSession | null>
}
