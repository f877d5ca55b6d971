// better-auth as we use it: e-mail and password, sessions in the database, and the OAuth provider for MCP clients.
import { randomBytes } from 'node:crypto'
import { oauthProvider } from '@better-auth/oauth-provider'
import { audit } from '@crossfade/mcp-database/audit.ts'
import { type BetterAuthPlugin, betterAuth } from 'better-auth'
import { APIError, createAuthMiddleware } from 'better-auth/api'
import { oneTimeToken } from 'better-auth/plugins/one-time-token'
import type { Pool } from 'pg'
import type { AccountsOptions, Mail } from './accounts-options.ts'
import { accessTokenPrefix, oauthScopes, refreshTokenPrefix, tokenDigest } from './oauth-tokens.ts'
import { authPath } from './paths.ts'
import { accountTables, oauthTables } from './table-names.ts'

/** The header in which `handle` tells the library the caller's address. What a caller sends by that name is dropped. */
export const addressHeader = 'x-crossfade-caller-address'

export const passwordCharactersMin = 10
export const passwordCharactersMax = 128
const sessionSecondsMax = 7 * 24 * 3600
/** A session's end is moved when it is used after this long. */
const sessionRefreshSeconds = 24 * 3600
const accessTokenSeconds = 3600
const refreshTokenSeconds = 30 * 24 * 3600
/** Also the time that a person has on the consent page. */
const authorizationCodeSeconds = 600
const resetLinkSeconds = 3600

/** Attempts per address within a window; counted in the database, so every worker counts together. */
const attempts = {
  '/sign-in/email': { window: 60, max: 10 },
  '/sign-up/email': { window: 600, max: 10 },
  '/change-password': { window: 60, max: 5 },
  '/delete-user': { window: 60, max: 5 },
  '/one-time-token/verify': { window: 60, max: 10 },
  '/get-session': false as const,
  '/list-sessions': false as const,
  '/oauth2/register': { window: 60, max: 20 },
  '/oauth2/token': { window: 60, max: 120 },
  '/oauth2/authorize': { window: 60, max: 60 },
}

export type SignInLibrary = ReturnType<typeof createSignInLibrary>

/** The library on `pool`, whose role may touch the account tables alone. Writes nothing until it is used. */
export function createSignInLibrary(pool: Pool, options: AccountsOptions) {
  const { sendMail } = options
  return betterAuth({
    appName: 'Crossfade',
    baseURL: new URL(options.baseUrl).origin,
    basePath: authPath,
    secret: options.secret,
    trustedOrigins: [...(options.trustedOrigins ?? [])],
    database: pool,
    telemetry: { enabled: false },
    logger: { disabled: true },
    // The sentence of an unexpected failure alone: what comes with it may hold what a person typed.
    onAPIError: {
      errorURL: `${new URL(options.baseUrl).origin}${authPath}/error`,
      onError: (error) => {
        if (!(error instanceof APIError)) options.onError?.(error instanceof Error ? error.message : 'unknown failure')
      },
    },
    user: {
      ...accountTables.user,
      additionalFields: { role: { type: 'string', input: false, required: false } },
      deleteUser: { enabled: true },
    },
    session: { ...accountTables.session, expiresIn: sessionSecondsMax, updateAge: sessionRefreshSeconds },
    account: { ...accountTables.account, accountLinking: { enabled: false } },
    // Codes are hashed before they are stored, as tokens are.
    verification: { ...accountTables.verification, storeIdentifier: 'hashed' },
    rateLimit: { ...accountTables.rateLimit, enabled: true, storage: 'database', customRules: attempts },
    advanced: {
      cookiePrefix: 'crossfade',
      database: { generateId: 'uuid' },
      ipAddress: { ipAddressHeaders: [addressHeader] },
      defaultCookieAttributes: { httpOnly: true, sameSite: 'lax', path: '/' },
    },
    emailAndPassword: {
      enabled: true,
      disableSignUp: options.allowSignUp === false,
      // With either of these the library answers alike whether the address is known or new.
      autoSignIn: false,
      requireEmailVerification: sendMail !== undefined,
      minPasswordLength: passwordCharactersMin,
      maxPasswordLength: passwordCharactersMax,
      revokeSessionsOnPasswordReset: true,
      resetPasswordTokenExpiresIn: resetLinkSeconds,
      // What is made up for a known address must look like a new member in every field.
      customSyntheticUser: ({ coreFields, id }) => ({ ...coreFields, role: 'member', id }),
      ...(sendMail && { sendResetPassword: ({ user, url }) => send(sendMail, 'reset_password', user.email, url) }),
    },
    emailVerification: {
      sendOnSignUp: sendMail !== undefined,
      ...(sendMail && { sendVerificationEmail: ({ user, url }) => send(sendMail, 'verify_email', user.email, url) }),
    },
    hooks: {
      before: createAuthMiddleware(async (context) => {
        // A new password ends every other session, whatever the caller asked for.
        if (context.path === '/change-password') {
          return { context: { body: { ...context.body, revokeOtherSessions: true } } }
        }
        // A stolen session must not be enough to delete everything.
        if (context.path === '/delete-user' && typeof context.body?.password !== 'string') {
          throw new APIError('BAD_REQUEST', { code: 'PASSWORD_REQUIRED', message: 'Send the password with it.' })
        }
        return
      }),
      after: createAuthMiddleware(async (context) => {
        const user = context.context.session?.user
        if (context.path !== '/change-password' || !user || context.context.returned instanceof APIError) return
        await audit(pool, { action: 'password.change', subject: user.id, outcome: 'done', userId: user.id })
      }),
    },
    databaseHooks: {
      session: {
        create: {
          before: async (session) => {
            const found = await pool.query<{ is_active: boolean }>('SELECT is_active FROM users WHERE id = $1', [
              session.userId,
            ])
            if (found.rows[0]?.is_active) return
            // The same answer as for a wrong password.
            throw new APIError('UNAUTHORIZED', {
              message: 'Invalid email or password',
              code: 'INVALID_EMAIL_OR_PASSWORD',
            })
          },
          after: async ({ id, userId, ipAddress }) => {
            const from = ipAddress ? { sourceIp: ipAddress } : {}
            await audit(pool, { action: 'session.create', subject: id, outcome: 'done', userId, ...from })
          },
        },
      },
    },
    plugins: [
      // Made by sign-in-link.ts alone.
      oneTimeToken({
        disableClientRequest: true,
        storeToken: { type: 'custom-hasher', hash: async (code) => tokenDigest(code) },
      }),
      oauthProvider({
        schema: oauthTables,
        // Opaque tokens: one look-up tells audience, scopes and revocation, and there is no signing key to lose.
        disableJwtPlugin: true,
        scopes: [...oauthScopes],
        grantTypes: ['authorization_code', 'refresh_token'],
        loginPage: `${authPath}/oauth2/sign-in`,
        consentPage: `${authPath}/oauth2/consent-page`,
        allowDynamicClientRegistration: true,
        allowUnauthenticatedClientRegistration: true,
        clientRegistrationDefaultScopes: [...oauthScopes],
        clientRegistrationRequirePKCE: true,
        // Which resource a token may be for depends on the user, not the client: oauth-requests.ts decides.
        enforcePerClientResources: false,
        clientPrivileges: () => false,
        resourcePrivileges: () => false,
        accessTokenExpiresIn: accessTokenSeconds,
        refreshTokenExpiresIn: refreshTokenSeconds,
        refreshTokenReuseInterval: 0,
        codeExpiresIn: authorizationCodeSeconds,
        generateOpaqueAccessToken: newSecret,
        generateRefreshToken: newSecret,
        generateClientSecret: newSecret,
        storeTokens: { hash: async (token) => tokenDigest(token) },
        prefix: { opaqueAccessToken: accessTokenPrefix, refreshToken: refreshTokenPrefix, clientSecret: 'cfs_' },
        rateLimit: { token: false, authorize: false, register: false },
        // Its declared type and the library's differ in optional properties under exactOptionalPropertyTypes alone.
      }) as unknown as BetterAuthPlugin,
    ],
  })
}

function newSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** Not awaited by an answer's content: whether an address is known must not show in the time it takes. */
async function send(sendMail: NonNullable<AccountsOptions['sendMail']>, kind: Mail['kind'], to: string, url: string) {
  await sendMail({ kind, to, url })
}
