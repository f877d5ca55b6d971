import { fail } from '@crossfade/model/failure.ts'
import type pg from 'pg'
import type { Audit } from '../contract/account.ts'

const entriesDefault = 50

/** A page of the audit log of the client's user, the newest first. `before` is what the page before gave as `next`; `nameOf` what people call a service. */
export async function readAudit(
  client: pg.ClientBase,
  { before, limit = entriesDefault, subject }: { before?: string; limit?: number; subject?: string },
  nameOf: (serviceType: string) => string,
): Promise<Audit> {
  if (before !== undefined && !/^\d{1,18}$/.test(before))
    throw fail('CF12033', { reason: '`before` is no page of this list' })
  const { rows } = await client.query<Row>(
    // Subjects are ids of several kinds; what is left of them is looked up by their keys.
    `SELECT e.*, coalesce(i.service_type, ti.service_type) AS service_type, coalesce(t.name, p.name) AS token_name
     FROM (
       SELECT id, at, actor, action, subject, details, outcome, host(source_ip) AS source_ip,
         CASE WHEN subject ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN subject::uuid END AS token_id
       FROM audit_log
       WHERE user_id = current_user_id() AND ($1::bigint IS NULL OR id < $1) AND ($2::text IS NULL OR subject = $2)
       ORDER BY id DESC LIMIT $3
     ) e
     LEFT JOIN user_service_instances i ON i.instance_id = e.subject
     LEFT JOIN instance_tokens t ON t.id = e.token_id
     LEFT JOIN user_service_instances ti ON ti.instance_id = t.instance_id
     LEFT JOIN api_tokens p ON p.id = e.token_id
     ORDER BY e.id DESC`,
    [before ?? null, subject ?? null, limit + 1],
  )
  const page = rows.slice(0, limit)
  return {
    entries: page.map((row) => ({
      id: String(row.id),
      at: row.at.toISOString(),
      action: row.action,
      subject: row.subject,
      subjectName: subjectName(row, nameOf),
      outcome: row.outcome,
      actor: row.actor,
      details: row.details,
      sourceIp: row.source_ip,
    })),
    next: rows.length > limit ? String(page.at(-1)!.id) : null,
  }
}

/** `default of GitHub` for a token, `Notes, for GitHub` for an application, `GitHub` for what else is about a service. */
function subjectName({ action, subject, details, service_type, token_name }: Row, nameOf: (type: string) => string) {
  const told = service_type ?? details['serviceType'] ?? (/^(service|tool)\./.test(action) ? subject : null)
  const service = typeof told === 'string' ? nameOf(told) : null
  const { application } = details
  if (typeof application === 'string') return service === null ? application : `${application}, for ${service}`
  const token = token_name ?? details['name']
  if (typeof token === 'string') return service === null ? token : `${token} of ${service}`
  return service
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
  /** Of the instance, or of the one that a token opens. */
  service_type: string | null
  token_name: string | null
}
