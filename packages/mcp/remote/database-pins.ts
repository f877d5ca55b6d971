// Pins in the platform's database.
import { fail } from '@crossfade/model/failure.ts'
import type pg from 'pg'
import type { Pin, PinStore } from './tool-pins.ts'

/** Pins read and added as the runtime's role may: it can't approve anything. Rejects with CF12002 when the database can't be asked: it is not the remote server's trouble. */
export function databasePinStore(pool: pg.Pool): PinStore {
  return {
    async load(serviceType) {
      const text = 'SELECT tool_name AS "toolName", digest, state FROM find_remote_tool_pins($1)'
      return (await pool.query<Pin>(text, [serviceType]).catch(notAnswered)).rows
    },
    async save(serviceType, tools, acceptNew) {
      const values = [serviceType, JSON.stringify(tools), acceptNew]
      await pool.query('SELECT add_remote_tool_pins($1, $2, $3)', values).catch(notAnswered)
    },
  }
}

function notAnswered(cause: unknown): never {
  throw fail('CF12002', {}, cause)
}

export interface QuarantinedTool {
  readonly serviceType: string
  readonly toolName: string
  readonly digest: string
  readonly definition: unknown
  /** The definition that is approved now; null for a tool of a new name. */
  readonly approved: unknown
  readonly firstSeen: Date
}

/** What waits for an operator, the oldest first. As the keeper's role. */
export async function quarantinedTools(pool: pg.Pool): Promise<readonly QuarantinedTool[]> {
  const { rows } = await pool.query<QuarantinedTool>(
    `SELECT q.service_type AS "serviceType", q.tool_name AS "toolName", q.digest, q.definition,
       p.definition AS approved, q.first_seen AS "firstSeen"
     FROM remote_tool_pins q
     LEFT JOIN remote_tool_pins p
       ON p.service_type = q.service_type AND p.tool_name = q.tool_name AND p.state = 'pinned'
     WHERE q.state = 'quarantined' ORDER BY q.first_seen, q.service_type, q.tool_name LIMIT 1000`,
  )
  return rows
}

/** Approves exactly the definition that was looked at. As the keeper's role. All workers hear of it. Rejects with CF13343 when it does not wait (any more). */
export async function approve(pool: pg.Pool, serviceType: string, toolName: string, digest: string): Promise<void> {
  const { rows } = await pool.query<{ approved: boolean }>('SELECT approve_remote_tool($1, $2, $3) AS approved', [
    serviceType,
    toolName,
    digest,
  ])
  if (!rows[0]?.approved) throw fail('CF13343', { service: serviceType, tool: toolName, digest: digest.slice(0, 12) })
}
