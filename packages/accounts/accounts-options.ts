// What an installation says about its accounts, and who is signed in.
import type { UserId } from '@crossfade/model/platform-ids.ts'

export interface AccountsOptions {
  /** Of the role crossfade_mcp_accounts. */
  readonly databaseUrl: string
  /** Where people and MCP clients reach the platform: `https://mcp.example.com`. Instance URLs are below it. */
  readonly baseUrl: string
  /** Signs cookies and consent links. At least 32 characters; changing it ends every session. */
  readonly secret: string
  /** Further origins that the console is served from. */
  readonly trustedOrigins?: readonly string[]
  /** Whether anybody may sign up. Default true. */
  readonly allowSignUp?: boolean
  /** Whether the first user of a fresh installation becomes its admin. Default true. */
  readonly firstUserIsAdmin?: boolean
  /** Where a person signs in: a path of the console that takes `?return=/path`. Default `/sign-in`. */
  readonly signInPath?: string
  /** Sends one mail. Without it there is no e-mail verification and no reset, and the endpoints say so. */
  readonly sendMail?: (mail: Mail) => Promise<void>
  /**
   * Reads the metadata document of a client that is known by its address. Must connect to public addresses alone and
   * follow no redirect: the address is of anybody's choice. Without it such clients are unknown, and register instead.
   */
  readonly readClientDocument?: (url: URL, signal: AbortSignal) => Promise<Response>
  /** For trying things out on one machine: such addresses may be http. Default false. */
  readonly clientDocumentsByHttp?: boolean
  /** Told of the library's failures: a sentence without what a person typed. */
  readonly onError?: (message: string) => void
}

export interface Mail {
  readonly kind: 'verify_email' | 'reset_password'
  readonly to: string
  /** Holds a one-time secret: for the mail alone. */
  readonly url: string
}

export interface AccountSession {
  readonly userId: UserId
  /** The proof for `asUser({ kind: 'session', token })`. Never leaves the server. */
  readonly sessionToken: string
  readonly name: string
  readonly email: string
  readonly role: 'member' | 'admin'
}
