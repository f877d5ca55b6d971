import type { ResolvedShard } from '@crossfade/pipeline/resolved-plan.ts'
import type { SchemaToCreate } from './create-schema.ts'
import type { DesiredSchema } from './desired.ts'
import { splitDump } from './dump-statements.ts'
import { roleFindings } from './generate/attributes.ts'
import { closingUnits, keyUnits, materializedIndexes, type ScriptTarget, viewUnits } from './generate/script.ts'
import { may, must, type Statement, type WorkUnit } from './generate/step.ts'
import { constraintUnits } from './generate/table-parts.ts'
import { type PgDump, runPgDump } from './pg-dump.ts'

/**
 * The schema as pg_dump writes it, for plans that move everything and rename nothing: its breadth (aggregates, operators, casts, text search, event triggers, foreign servers)
 * with our indexes, constraints, owners and privileges, which must run in parts and beside the stream. Rejects with CF2217.
 */
export async function dumpedSchema(
  pgDump: PgDump,
  shard: ResolvedShard,
  desired: DesiredSchema,
  target: ScriptTarget,
): Promise<SchemaToCreate> {
  const { inventory } = desired
  const dump = (section: string) => runPgDump(pgDump, shard, ['--schema-only', `--section=${section}`, ...dumpOptions])
  const preData = splitDump(await dump('pre-data'))
  const postData = splitDump(await dump('post-data'))
  const there = new Set(target.inventory.schemas.map((schema) => schema.name))

  const pre = preData.flatMap((each): Statement[] => {
    if (each.type === 'SCHEMA' && there.has(each.name)) return []
    return [statement(each.type, each.name, each.sql, target)].flat()
  })
  const parts = postData
    .filter((each) => !ownTypes.has(each.type))
    .flatMap((each) => statement(each.type, each.name, each.sql, target))
  const units: WorkUnit[] = [
    ...keyUnits(desired),
    ...constraintUnits(inventory, target.inventory.serverVersion),
    ...viewUnits(inventory, materializedIndexes(inventory)),
    ...(parts.length > 0
      ? [
          {
            id: 'final rules, triggers and policies',
            phase: 'final' as const,
            table: null,
            description: 'rules, triggers, policies, statistics objects',
            steps: { builds: [], transactions: [parts] },
          },
        ]
      : []),
    ...closingUnits(inventory, target, []),
  ]
  return {
    way: 'pg_dump',
    pre,
    units,
    findings: [
      ...desired.findings.filter((each) => !desired.unwritten.has(each)),
      ...roleFindings(inventory, target, target.shard),
    ],
  }
}

const dumpOptions = [
  '--exclude-schema=crossfade',
  '--exclude-schema=crossfade_control',

  '--no-owner',
  '--no-privileges',
  '--no-comments',
  '--no-publications',
  '--no-subscriptions',
  '--no-security-labels',
]

/** Built by units of our own. */
const ownTypes = new Set(['CONSTRAINT', 'FK CONSTRAINT', 'INDEX', 'INDEX ATTACH'])

/** What must work for rows to be loaded; anything else that is refused is a finding. */
const requiredTypes = new Set([
  'SCHEMA',
  'TABLE',
  'TABLE ATTACH',
  'SEQUENCE',
  'SEQUENCE OWNED BY',
  'DEFAULT',
  'TYPE',
  'DOMAIN',
  'FUNCTION',
  'PROCEDURE',
  'VIEW',
  'MATERIALIZED VIEW',
  'COLLATION',
  'AGGREGATE',
])

function statement(type: string, name: string, sql: string, target: ScriptTarget): Statement[] {
  const setting = /^SET (default_tablespace|default_table_access_method) = (.*)$/s.exec(sql)
  if (setting) {
    const tablespace = setting[2]!.replace(/^['"]|['"]$/g, '')
    if (
      setting[1] === 'default_tablespace' &&
      tablespace !== '' &&
      !target.inventory.tablespaces.includes(tablespace)
    ) {
      return [must('session', `SET LOCAL default_tablespace = ''`)]
    }
    return [must('session', `SET LOCAL ${setting[1]} = ${setting[2]}`)]
  }
  if (/^SET |^SELECT pg_catalog\.set_config\(/.test(sql)) return []
  const subject = `${type.toLowerCase()} ${name}`
  return [requiredTypes.has(type) ? must(subject, sql) : may(subject, sql)]
}
