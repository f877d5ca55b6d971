// What the operator of an installation does to its users, beside whatever serves it.
import { createAccounts } from '@crossfade/accounts/accounts.ts'
import { linkExternalSubject, unlinkExternalSubject } from '@crossfade/accounts/external-subjects.ts'
import { signInLinkMsMax } from '@crossfade/accounts/sign-in-link.ts'
import {
  type ListedUser,
  listUsers,
  setActive,
  setPassword,
  setRole,
  type UserRole,
  userByEmail,
} from '@crossfade/accounts/users.ts'
import { audit } from '@crossfade/mcp-database/audit.ts'
import { withPool } from '@crossfade/mcp-database/pool.ts'
import { masterKeys } from '@crossfade/vault/master-keys.ts'
import type { Pool } from 'pg'
import { asKeeper, everybodyKnows, type InstallationOptions, readBaseUrl } from './as-keeper.ts'
import { homePaths } from './home.ts'
import { openExistingPlatform, type Platform } from './platform.ts'
import { openSecrets } from './prepare.ts'

/** All users, the oldest first. */
export function usersOf(options: InstallationOptions): Promise<readonly ListedUser[]> {
  return asAccounts(options, listUsers)
}

/** Sets a password and ends every session of the user. Where there is none, makes the user if that `isNew` is said, and rejects with CF12313 else. Rejects with CF12305. */
export function setPasswordOf(
  options: InstallationOptions & { readonly isNew: boolean },
  email: string,
  password: string,
): Promise<void> {
  return asAccounts(options, async (accounts) => {
    if (!options.isNew) await userByEmail(accounts, email)
    await setPassword(accounts, email, password)
  })
}

/** Makes a user an administrator or a member. Rejects with CF12313, CF12308. */
export function setRoleOf(options: InstallationOptions, email: string, role: UserRole): Promise<void> {
  return asAccounts(options, async (accounts) => setRole(accounts, await userByEmail(accounts, email), role))
}

/** Switches a user off or on; resolves when every worker knows. Rejects with CF12313, CF12308. */
export function setActiveOf(options: InstallationOptions, email: string, active: boolean): Promise<void> {
  return asAccounts(options, async (accounts, platform) => {
    await setActive(accounts, await userByEmail(accounts, email), active)
    await everybodyKnows(platform)
  })
}

export interface ExternalSubject {
  readonly issuer: string
  readonly subject: string
}

/** Lets tokens of an external issuer's subject act for a user; resolves when every worker knows. Rejects with CF12313, CF12307, CF12309. */
export function linkOf(options: InstallationOptions, email: string, { issuer, subject }: ExternalSubject) {
  return asAccounts(options, async (accounts, platform) => {
    await linkExternalSubject(accounts, await userByEmail(accounts, email), issuer, subject)
    await everybodyKnows(platform)
  })
}

/** Takes such a link away; resolves when every worker knows. False when there was none. Rejects with CF12313, CF12309. */
export function unlinkOf(options: InstallationOptions, email: string, { issuer, subject }: ExternalSubject) {
  return asAccounts(options, async (accounts, platform) => {
    const wasThere = await unlinkExternalSubject(accounts, await userByEmail(accounts, email), issuer, subject)
    await everybodyKnows(platform)
    return wasThere
  })
}

export interface SignInLink {
  /** A secret until it is used or old. */
  readonly url: string
  readonly endsAt: Date
}

/** A link that signs a user in once, at the public address of the installation. Audited. Rejects with CF12313, CF12306 for one who is switched off, CF11xxx. */
export function signInLinkOf(options: InstallationOptions, email: string): Promise<SignInLink> {
  return asKeeper(options, async (keeper, home, platform) => {
    const keys = masterKeys({ defaultFile: home.masterKeyFile })
    const { accounts: secret } = await openSecrets(keeper, keys)
    const accounts = createAccounts({
      databaseUrl: platform.roles.accounts,
      baseUrl: await readBaseUrl(keeper),
      secret,
    })
    try {
      return await withAccounts(platform, async (pool) => {
        const userId = await userByEmail(pool, email)
        const endsAt = new Date(Date.now() + signInLinkMsMax)
        const url = await accounts.createSignInLink(userId)
        await audit(pool, { action: 'user.sign_in_link', subject: userId, outcome: 'done', userId })
        return { url, endsAt }
      })
    } finally {
      await accounts.close()
    }
  })
}

async function asAccounts<Result>(
  options: InstallationOptions,
  work: (accounts: Pool, platform: Platform) => Promise<Result>,
): Promise<Result> {
  const platform = await openExistingPlatform(homePaths(options.directory), options.database)
  return withAccounts(platform, (accounts) => work(accounts, platform)).finally(() => platform.release())
}

function withAccounts<Result>(platform: Platform, work: (accounts: Pool) => Promise<Result>): Promise<Result> {
  return withPool(platform.roles.accounts, { applicationName: 'crossfade mcp users', connectionsMax: 1 }, work)
}
