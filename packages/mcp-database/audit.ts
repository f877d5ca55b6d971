import type pg from 'pg'

export interface AuditEntry {
  /** What was done: `instance.connect`, `key.replace`, `token.revoke`. */
  readonly action: string
  /** What it was done to: an instance's id, a token's id. Never a secret. */
  readonly subject: string
  readonly details?: Readonly<Record<string, unknown>>
  readonly outcome: 'done' | 'refused'
  /** For roles that act for no user (accounts, keeper). The api role's is always the user of the transaction. */
  readonly userId?: string
  readonly sourceIp?: string
}

/** Adds to the audit log, in the client's transaction: it is kept if the work is. Nobody can change or remove what was added. */
export async function audit(client: pg.ClientBase | pg.Pool, entry: AuditEntry): Promise<void> {
  await client.query('SELECT public.record_audit($1, $2, $3, $4, $5, $6)', [
    entry.action,
    entry.subject,
    JSON.stringify(entry.details ?? {}),
    entry.outcome,
    entry.userId ?? null,
    entry.sourceIp ?? null,
  ])
}
