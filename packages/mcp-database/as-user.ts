import { createHash } from 'node:crypto'
import { Failure, fail, reasonOf } from '@crossfade/model/failure.ts'
import type { UserId } from '@crossfade/model/platform-ids.ts'
import type pg from 'pg'

/** What somebody shows to be taken for a user: the token of a session, or a personal API token (`cfp_…`). */
export type UserProof =
  | { readonly kind: 'session'; readonly token: string }
  | { readonly kind: 'api_token'; readonly secret: string }

/**
 * Runs `work` in one transaction that sees the rows of the proof's user and nobody else's. `api` is a pool of the role crossfade_mcp_api. What `work` rejects with
 * undoes the transaction and comes out as it is. Rejects with CF12501 when the proof opens nothing, CF12502 when the database can't be reached.
 * The client is for `work` alone: it must not be used after its promise has settled.
 */
export async function asUser<T>(
  api: pg.Pool,
  proof: UserProof,
  work: (client: pg.PoolClient, userId: UserId) => Promise<T>,
): Promise<T> {
  const client = await api.connect().catch((error: unknown) => {
    throw fail('CF12502', { reason: reasonOf(error) }, error)
  })
  let broken: Error | undefined
  try {
    await client.query('BEGIN')
    const userId = await enter(client, proof)
    if (userId === null) throw fail('CF12501')
    const result = await work(client, userId)
    await client.query('COMMIT')
    return result
  } catch (error) {
    await client.query('ROLLBACK').catch((trouble: Error) => {
      broken = trouble
    })
    if (broken && !(error instanceof Failure)) throw fail('CF12502', { reason: reasonOf(error) }, error)
    throw error
  } finally {
    // A connection that could not be rolled back is not given to anybody else.
    client.release(broken)
  }
}

/** Always with parameters: the text of a running query can be read by other sessions of the same role. */
async function enter(client: pg.PoolClient, proof: UserProof): Promise<UserId | null> {
  const { rows } =
    proof.kind === 'session'
      ? await client.query('SELECT public.enter_session($1) AS user_id', [proof.token])
      : await client.query('SELECT public.enter_api_token($1) AS user_id', [
          createHash('sha256').update(proof.secret).digest(),
        ])
  return rows[0].user_id as UserId | null
}
