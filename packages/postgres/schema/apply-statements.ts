import { fail, reasonOf } from '@crossfade/model/failure.ts'
import type { Finding } from '@crossfade/model/finding.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import type { ClientBase } from 'pg'
import { finding } from './finding.ts'
import type { Statement } from './generate/step.ts'

/** What DDL of ours runs under: names are qualified, bodies are not looked into (they may name what comes later). */
export const ddlSettings = `SET LOCAL search_path = ''; SET LOCAL check_function_bodies = off; SET LOCAL client_min_messages = warning;
  SET LOCAL default_tablespace = ''; SET LOCAL row_security = off`

/**
 * Runs statements in the client's open transaction. One that is optional and refused becomes a finding and leaves no trace; any other that is
 * refused rejects with `code` (CF2206 unless said otherwise), and the caller must roll back.
 */
export async function applyStatements(
  client: ClientBase,
  statements: readonly Statement[],
  about: { readonly shard: ShardId; readonly code?: 'CF2206' | 'CF2215' },
): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const { sql, subject, optional } of statements) {
    if (optional) await client.query('SAVEPOINT crossfade_statement')
    try {
      await client.query(sql)
      if (optional) await client.query('RELEASE SAVEPOINT crossfade_statement')
    } catch (error) {
      const reason = reasonOf(error)
      if (!isRefusal(error)) throw error
      if (!optional) throw fail(about.code ?? 'CF2206', { shard: about.shard, subject, work: subject, reason }, error)
      await client.query('ROLLBACK TO SAVEPOINT crossfade_statement')
      findings.push(
        finding(
          'CF2209',
          'warn',
          `${about.shard} ${subject}`,
          { shard: about.shard, subject, reason },
          `On the target: \`${sql}\``,
        ),
      )
    }
  }
  return findings
}

/** The server looked at the statement and said no; as opposed to locks, lost connections, a server that is going down. */
function isRefusal(error: unknown): boolean {
  const code = (error as { code?: string }).code
  if (typeof code !== 'string' || code.length !== 5) return false
  return !/^(08|40|53|55|57|58)/.test(code)
}
