// What the operator of an installation does to its users, beside whatever serves it.
import {
  type ListedUser,
  listUsers,
  setActive,
  setPassword,
  setRole,
  type UserRole,
  userByEmail,
} from '@crossfade/accounts/users.ts'
import { withPool } from '@crossfade/mcp-database/pool.ts'
import type { Pool } from 'pg'
import { everybodyKnows, type InstallationOptions } from './as-keeper.ts'
import { homePaths } from './home.ts'
import { openExistingPlatform, type Platform } from './platform.ts'

/** All users, the oldest first. */
export function usersOf(options: InstallationOptions): Promise<readonly ListedUser[]> {
  return asAccounts(options, listUsers)
}

/** Sets a password and ends every session of the user; makes the user where there is none. Rejects with CF12305. */
export function setPasswordOf(options: InstallationOptions, email: string, password: string): Promise<void> {
  return asAccounts(options, async (accounts) => void (await setPassword(accounts, email, password)))
}

/** Makes a user an administrator or a member. Rejects with CF12306. */
export function setRoleOf(options: InstallationOptions, email: string, role: UserRole): Promise<void> {
  return asAccounts(options, async (accounts) => setRole(accounts, await userByEmail(accounts, email), role))
}

/** Switches a user off or on; resolves when every worker knows. Rejects with CF12306. */
export function setActiveOf(options: InstallationOptions, email: string, active: boolean): Promise<void> {
  return asAccounts(options, async (accounts, platform) => {
    await setActive(accounts, await userByEmail(accounts, email), active)
    await everybodyKnows(platform)
  })
}

async function asAccounts<Result>(
  options: InstallationOptions,
  work: (accounts: Pool, platform: Platform) => Promise<Result>,
): Promise<Result> {
  const platform = await openExistingPlatform(homePaths(options.directory), options.database)
  const connection = { applicationName: 'crossfade mcp users', connectionsMax: 1 }
  return withPool(platform.roles.accounts, connection, (accounts) => work(accounts, platform)).finally(() =>
    platform.release(),
  )
}
