import { fail } from '@crossfade/model/failure.ts'
import type pg from 'pg'
import type { Audit } from '../contract/account.ts'

const entriesDefault = 50

/** A page of the audit log of the client's user, the newest first. `before` is what the page before gave as `next`. */
export async function readAudit(
  client: pg.ClientBase,
  { before, limit = entriesDefault, subject }: { before?: string; limit?: number; subject?: string },
): Promise<Audit> {
  if (before !== undefined && !/^\d{1,18}$/.test(before))
    throw fail('CF12033', { reason: '`before` is no page of this list' })
  const { rows } = await client.query<Row>(
    `SELECT id, at, actor, action, subject, details, outcome, host(source_ip) AS source_ip FROM audit_log
     WHERE user_id = current_user_id() AND ($1::bigint IS NULL OR id < $1) AND ($2::text IS NULL OR subject = $2)
     ORDER BY id DESC LIMIT $3`,
    [before ?? null, subject ?? null, limit + 1],
  )
  const page = rows.slice(0, limit)
  return {
    entries: page.map((row) => ({
      id: String(row.id),
      at: row.at.toISOString(),
      action: row.action,
      subject: row.subject,
      outcome: row.outcome,
      actor: row.actor,
      details: row.details,
      sourceIp: row.source_ip,
    })),
    next: rows.length > limit ? String(page.at(-1)!.id) : null,
  }
}

interface Row {
  id: number
  at: Date
  actor: string
  action: string
  subject: string
  details: Record<string, unknown>
  outcome: 'done' | 'refused'
  source_ip: string | null
}
