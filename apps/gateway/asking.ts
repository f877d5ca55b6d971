import type { Accounts } from '@crossfade/accounts/accounts.ts'
import { scopesOfApiToken } from '@crossfade/accounts/api-tokens.ts'
import { asUser, type UserProof } from '@crossfade/mcp-database/as-user.ts'
import { Failure, fail } from '@crossfade/model/failure.ts'
import type { FastifyRequest } from 'fastify'
import type pg from 'pg'
import type { Asking, Needs } from './api-parts.ts'

/** Methods that change nothing. */
export const readingMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])
const both: ReadonlySet<'read' | 'write'> = new Set(['read', 'write'])

export interface AskingOptions {
  readonly accounts: Pick<Accounts, 'sessionOf'>
  readonly api: pg.Pool
  readonly baseUrl: string
  readonly trustedOrigins?: readonly string[]
}

/**
 * Who is asking: by an API token where one is shown, else by the session's cookie. Null when nothing is shown, or when it is a cookie that opens nothing.
 * Rejects with CF12501 for an API token that opens nothing: whoever shows one means it.
 */
export async function whoIsAsking(request: FastifyRequest, { accounts, api }: AskingOptions): Promise<Asking | null> {
  const { authorization, cookie } = request.headers
  if (authorization !== undefined) {
    const secret = /^Bearer (cfp_[A-Za-z0-9_-]{20,100})$/i.exec(authorization)?.[1]
    if (secret === undefined) throw fail('CF12501')
    return readUser(api, { kind: 'api_token', secret })
  }
  if (cookie === undefined) return null
  const session = await accounts.sessionOf(new Headers({ cookie }))
  if (session === null) return null
  return readUser(api, { kind: 'session', token: session.sessionToken }).catch((error: unknown) => {
    // It ended between the two looks.
    if (error instanceof Failure && error.code === 'CF12501') return null
    throw error
  })
}

/** Throws CF12030, CF12031 or CF12032 when a request may not be made by who makes it. */
export function admit(
  request: FastifyRequest,
  asking: Asking | null,
  needs: Needs,
  { baseUrl, trustedOrigins = [] }: AskingOptions,
): void {
  if (needs === 'nobody') return
  if (asking === null) throw fail('CF12030')
  const writes = !readingMethods.has(request.method)
  // A browser sends cookies whichever page asks it to; it also says which page that is.
  if (writes && asking.via === 'session') {
    const origin = request.headers.origin
    if (origin === undefined || !(origin === new URL(baseUrl).origin || trustedOrigins.includes(origin)))
      throw fail('CF12032', { baseUrl })
  }
  const scope = writes ? 'write' : 'read'
  if (!asking.scopes.has(scope)) throw fail('CF12031', { needed: `the scope ${scope}` })
  if (needs === 'admin' && asking.role !== 'admin') throw fail('CF12031', { needed: 'the role admin' })
}

async function readUser(api: pg.Pool, proof: UserProof): Promise<Asking> {
  return asUser(api, proof, async (client, userId) => {
    const { rows } = await client.query<Pick<Asking, 'email' | 'name' | 'image' | 'role'>>(
      'SELECT email, name, image, role FROM users WHERE id = $1',
      [userId],
    )
    const scopes = proof.kind === 'session' ? both : await scopesOfApiToken(client, proof.secret)
    return { userId, ...rows[0]!, via: proof.kind, proof, scopes }
  })
}
