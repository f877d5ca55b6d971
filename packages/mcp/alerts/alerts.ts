import { type Clock, systemClock } from '@crossfade/model/clock.ts'
import { reasonOf } from '@crossfade/model/failure.ts'
import type { Pool } from 'pg'
import { lead, locks } from '../maintenance/leader.ts'
import { type AlertRule, defaultAlertRules, type Finding, question, type Severity } from './rules.ts'
import type { AlertMessage, AlertReceiver } from './webhook.ts'

/** Rules are asked this often. */
export const lookMs = 30_000
/** A message that was refused is sent again at the next look; one that was so often is left out, and mcp_alerts has it. */
export const triesMax = 20
/** Messages of one look. */
const messagesMax = 50
/** What closed longer ago is history: a receiver that was set up, or came back, later is not told of it. */
export const historyMs = 24 * 3_600_000

export interface AlertsOptions {
  /** Of the keeper role. Takes one connection while this process watches. */
  readonly pool: Pool
  readonly rules?: readonly AlertRule[]
  /** Null: alerts are in mcp_alerts alone. */
  readonly receiver: AlertReceiver | null
  /** Told when alerts can't be looked for. */
  readonly onTrouble?: (error: unknown) => void
  readonly clock?: Clock
  readonly lookMs?: number
}

/**
 * Opens an alert when a rule's cause appears and closes it when it is gone, in one process of all. Each opening and each closing is told once it holds: at least once, in order,
 * over restarts and takeovers; not what closed before `historyMs`. Never rejects.
 */
export function watchAlerts(options: AlertsOptions): { readonly leads: boolean; close(): Promise<void> } {
  const clock = options.clock ?? systemClock
  return lead({
    pool: options.pool,
    lock: locks.alerts,
    onTrouble: options.onTrouble,
    work: async (signal) => {
      while (!signal.aborted) {
        await lookOnce(options, clock.now())
        await tell(options, clock.now(), signal)
        await clock.sleep(options.lookMs ?? lookMs, signal).catch(() => undefined)
      }
    },
  })
}

/** Asks every rule, and opens and closes alerts. Idempotent. */
export async function lookOnce({ pool, rules = defaultAlertRules }: AlertsOptions, nowMs: number): Promise<void> {
  const at = new Date(nowMs).toISOString()
  for (const rule of rules) {
    const { text, values } = question(rule)
    const { rows: findings } = await pool.query<{ subject: string; text: string }>(text, [at, ...values])
    await settle(pool, rule, findings, at)
  }
}

/** One statement, so that an alert is never open twice: what is found is open, what is no longer found is closed. */
async function settle(pool: Pool, rule: AlertRule, findings: readonly Finding[], at: string): Promise<void> {
  await pool.query(
    `WITH found AS (SELECT * FROM jsonb_to_recordset($1::jsonb) AS f(subject text, text text)), closed AS (
       UPDATE mcp_alerts SET closed_at = $4
       WHERE rule = $2 AND closed_at IS NULL AND NOT EXISTS (SELECT FROM found WHERE found.subject = mcp_alerts.subject)
     )
     INSERT INTO mcp_alerts (rule, subject, severity, text, opened_at)
     SELECT $2, subject, $3, text, $4 FROM found ORDER BY subject
     ON CONFLICT (rule, subject) WHERE closed_at IS NULL DO UPDATE SET text = excluded.text`,
    [JSON.stringify(findings), rule.kind, rule.severity, at],
  )
}

interface Untold {
  id: string | number
  rule: string
  subject: string
  severity: Severity
  text: string
  at: Date
  state: 'open' | 'closed'
}

/** Sends what nobody was told yet, in the order in which it happened; stops at the first that is refused. An alert that closed before its opening was told is told by both. */
export async function tell({ pool, receiver }: AlertsOptions, nowMs: number, signal: AbortSignal): Promise<void> {
  if (!receiver) return
  const { rows } = await pool.query<Untold>(
    `SELECT id, rule, subject, severity, text, opened_at AS at, 'open' AS state FROM mcp_alerts
       WHERE open_sent_at IS NULL AND open_tries < $1 AND (closed_at IS NULL OR closed_at > $3)
     UNION ALL
     SELECT id, rule, subject, severity, text, closed_at, 'closed' FROM mcp_alerts
       WHERE closed_at > $3 AND close_sent_at IS NULL AND close_tries < $1
     ORDER BY at, state DESC, id LIMIT $2`,
    [triesMax, messagesMax, new Date(nowMs - historyMs).toISOString()],
  )
  for (const row of rows) {
    const message: AlertMessage = { ...row, id: Number(row.id), at: row.at.toISOString() }
    const [sent, tries] = row.state === 'open' ? ['open_sent_at', 'open_tries'] : ['close_sent_at', 'close_tries']
    try {
      await receiver.send(message, signal)
      await pool.query(`UPDATE mcp_alerts SET ${sent} = $2, last_trouble = NULL WHERE id = $1`, [
        row.id,
        new Date(nowMs).toISOString(),
      ])
    } catch (error) {
      if (signal.aborted) return
      await pool.query(`UPDATE mcp_alerts SET ${tries} = ${tries} + 1, last_trouble = $2 WHERE id = $1`, [
        row.id,
        reasonOf(error),
      ])
      return
    }
  }
}
