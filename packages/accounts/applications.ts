// The MCP clients that a person let in by OAuth, and how they are put out again.
import { audit } from '@crossfade/mcp-database/audit.ts'
import { fail } from '@crossfade/model/failure.ts'
import type { UserId } from '@crossfade/model/platform-ids.ts'
import type { Pool } from 'pg'
import { type InstanceResource, parseInstanceResource } from './instance-resource.ts'

/** So many are told; nobody lets in more. */
const applicationsMax = 500

export interface GrantedApplication {
  /** Of the consent; says nothing to the application. */
  readonly id: string
  /** What it calls itself; null when it has no name. */
  readonly name: string | null
  readonly url: string | null
  /** The host that its answers go to, or the scheme of an application on a device. */
  readonly returnsTo: string
  readonly scopes: readonly string[]
  /** Those that it was let in to and may still open. */
  readonly instances: readonly InstanceResource[]
  readonly grantedAt: Date
  /** To the minute; null when it has not come yet. */
  readonly lastUsedAt: Date | null
}

/** Applications that the user let in, the last one first. `accounts` is a pool of crossfade_mcp_accounts. */
export async function applicationsOf(
  accounts: Pool,
  baseUrl: string,
  userId: UserId,
): Promise<readonly GrantedApplication[]> {
  const { rows } = await accounts.query<ApplicationRow>(
    `SELECT o.id, c.name, c.uri, c.client_id, c.redirect_uris, o.scopes, o.created_at, o.last_used_at,
       coalesce((SELECT jsonb_agg(DISTINCT r.resource) FROM (
         SELECT jsonb_array_elements_text(o.resources) AS resource WHERE jsonb_typeof(o.resources) = 'array'
         UNION SELECT jsonb_array_elements_text(t.resources) FROM oauth_access_tokens t
           WHERE t.user_id = o.user_id AND t.client_id = o.client_id AND t.revoked IS NULL AND t.expires_at > now()
             AND jsonb_typeof(t.resources) = 'array'
         UNION SELECT jsonb_array_elements_text(t.resources) FROM oauth_refresh_tokens t
           WHERE t.user_id = o.user_id AND t.client_id = o.client_id AND t.revoked IS NULL AND t.expires_at > now()
             AND jsonb_typeof(t.resources) = 'array'
       ) r), '[]') AS resources
     FROM oauth_consents o JOIN oauth_clients c ON c.client_id = o.client_id
     WHERE o.user_id = $1 ORDER BY o.updated_at DESC LIMIT ${applicationsMax}`,
    [userId],
  )
  return rows.map((row) => ({
    id: row.id,
    name: row.name?.trim() || null,
    url: row.uri,
    returnsTo: hostOf(row.redirect_uris[0] ?? row.client_id),
    scopes: row.scopes,
    instances: row.resources.flatMap((resource) => parseInstanceResource(baseUrl, resource) ?? []),
    grantedAt: row.created_at,
    lastUsedAt: row.last_used_at,
  }))
}

/**
 * Ends all that the user allowed the application: its tokens open nothing from the commit on, which every worker is told of.
 * Rejects with CF12043 when the user has let in no application of this id. Audited.
 */
export async function endApplication(accounts: Pool, userId: UserId, id: string): Promise<void> {
  const client = await accounts.connect()
  let broken: Error | undefined
  try {
    await client.query('BEGIN')
    // A trigger ends the tokens with it, and tells of them.
    const { rows } = await client.query<{ client_id: string; name: string | null }>(
      `DELETE FROM oauth_consents o WHERE id = $1 AND user_id = $2
       RETURNING client_id, (SELECT name FROM oauth_clients c WHERE c.client_id = o.client_id) AS name`,
      [id, userId],
    )
    const ended = rows[0]
    if (!ended) throw fail('CF12043')
    const details = ended.name === null ? {} : { application: ended.name }
    await audit(client, { action: 'oauth.revoke', subject: ended.client_id, details, outcome: 'done', userId })
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK').catch((trouble: Error) => {
      broken = trouble
    })
    throw error
  } finally {
    client.release(broken)
  }
}

interface ApplicationRow {
  readonly id: string
  readonly name: string | null
  readonly uri: string | null
  readonly client_id: string
  readonly redirect_uris: readonly string[]
  readonly scopes: readonly string[]
  readonly resources: readonly string[]
  readonly created_at: Date
  readonly last_used_at: Date | null
}

function hostOf(redirect: string): string {
  if (!URL.canParse(redirect)) return redirect.slice(0, 100)
  const url = new URL(redirect)
  return url.protocol === 'http:' || url.protocol === 'https:' ? url.host : url.protocol.replace(/:$/, '')
}
