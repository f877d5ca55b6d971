import type { Finding } from '@crossfade/model/finding.ts'
import type { MigrationId, ShardId } from '@crossfade/model/ids.ts'
import type { ClientBase } from 'pg'
import { applyStatements, ddlSettings } from './apply-statements.ts'
import { recordingCreated } from './created-objects.ts'
import type { Statement, WorkUnit } from './generate/step.ts'

export interface SchemaToCreate {
  readonly way: 'catalog' | 'pg_dump' | 'existing'
  readonly pre: readonly Statement[]
  readonly units: readonly WorkUnit[]
  readonly findings: readonly Finding[]
}

/**
 * Runs the first phase on one target and keeps the units of the later ones there, all in one transaction: it is done, or nothing of it is.
 * Returns all findings, those of refused statements among them.
 */
export async function createTargetSchema(
  client: ClientBase,
  migration: MigrationId,
  shard: ShardId,
  schema: SchemaToCreate,
): Promise<readonly Finding[]> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
  try {
    await client.query(ddlSettings)
    const refused = await recordingCreated(client, migration, () => applyStatements(client, schema.pre, { shard }))
    const findings = [...schema.findings, ...refused]
    await client.query('INSERT INTO crossfade.created_schema (migration, way, findings) VALUES ($1, $2, $3)', [
      migration,
      schema.way,
      JSON.stringify(findings),
    ])
    await client.query(
      `INSERT INTO crossfade.schema_work (migration, id, ordinal, phase, table_schema, table_name, description, steps)
       SELECT $1, unit.id, unit.ordinal, unit.phase, unit.table_schema, unit.table_name, unit.description, unit.steps
       FROM json_to_recordset($2::json) AS unit(id text, ordinal integer, phase text, table_schema text, table_name text, description text, steps jsonb)`,
      [
        migration,
        JSON.stringify(
          schema.units.map((unit, ordinal) => ({
            ...unit,
            ordinal,
            table_schema: unit.table?.schema ?? null,
            table_name: unit.table?.name ?? null,
          })),
        ),
      ],
    )
    await client.query('COMMIT')
    return findings
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined)
    throw error
  }
}

/** What `createTargetSchema` did for the migration in this database; null when it has not. */
export async function createdSchema(
  client: ClientBase,
  migration: MigrationId,
): Promise<{ readonly way: string; readonly findings: readonly Finding[] } | null> {
  const { rows } = await client.query<{ way: string; findings: string }>(
    'SELECT way, findings::text AS findings FROM crossfade.created_schema WHERE migration = $1',
    [migration],
  )
  const row = rows[0]
  return row ? { way: row.way, findings: JSON.parse(row.findings) as Finding[] } : null
}
