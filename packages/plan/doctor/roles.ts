import type { Finding } from '@crossfade/model/finding.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import type { ShardSurvey } from '../survey.ts'
import { quoteIdentifier, quoteTable } from '../table-pattern.ts'
import { finding } from './finding.ts'
import { allShards, type Subject } from './subject.ts'

/** What the roles may and may not do. Superuser is never needed; what it would improve is a note. */
export function checkRoles(subject: Subject): Finding[] {
  return allShards(subject.survey).flatMap((shard) => [
    ...checkRole(subject, shard),
    ...checkSchemas(subject, shard),
    ...checkTables(subject, shard),
  ])
}

function checkRole({ loaded }: Subject, { id, side, server }: ShardSurvey): Finding[] {
  const { role } = server
  const details = {
    shard: id,
    role: role.name,
    roleQuoted: quoteIdentifier(role.name),
    databaseQuoted: quoteIdentifier(server.database),
    ownerQuoted: quoteIdentifier(server.databaseOwner),
  }
  if (role.superuser) return [finding('CF2132', 'note', id, details)]
  const findings: Finding[] = []
  if (!role.replication) findings.push(finding('CF2105', 'block', id, details))
  if (!role.createInDatabase) findings.push(finding('CF2107', 'block', id, details))
  if (!role.setReplicationRole) findings.push(finding('CF2108', 'note', id, details))
  const isArchived = side === 'source' && loaded.document.archive !== 'leave'
  if (isArchived && !role.ownsDatabase) findings.push(finding('CF2148', 'warn', id, details))
  return findings
}

/** The tables are made in schemas that are there already, or in new ones. */
function checkSchemas({ resolution, loaded }: Subject, { id, side, server, objects }: ShardSurvey): Finding[] {
  if (side === 'source' || loaded.document.schema?.mode === 'existing') return []
  const needed = new Set(resolution.plan?.tables.map((table) => table.target.schema))
  return objects.closedSchemas.flatMap((schema) => {
    if (!needed.has(schema)) return []
    const role = { role: server.role.name, roleQuoted: quoteIdentifier(server.role.name) }
    const details = { shard: id, schema, schemaQuoted: quoteIdentifier(schema), ...role }
    return [finding('CF2149', 'block', `${id} ${schema}`, details)]
  })
}

/** Publications and fences need ownership; row security must not hide rows from the copy. */
function checkTables({ resolution, loaded }: Subject, shard: ShardSurvey): Finding[] {
  const findings: Finding[] = []
  const { role } = shard.server
  const moved = new Set(resolution.selection.tables.map(({ table }) => tableKey(table.name)))
  const exists = shard.side === 'source' || loaded.document.schema?.mode === 'existing'
  if (!exists) return findings
  for (const table of shard.tables) {
    const key = tableKey(table.name)
    if (!moved.has(key)) continue
    const subject = `${shard.id} ${key}`
    const details = {
      shard: shard.id,
      table: key,
      role: role.name,
      tableQuoted: quoteTable(table.name),
      roleQuoted: quoteIdentifier(role.name),
      ownerQuoted: quoteIdentifier(table.owner),
    }
    if (!table.owned) findings.push(finding('CF2106', 'block', subject, details))
    if (table.rowSecurity && !role.bypassRowSecurity) findings.push(finding('CF2137', 'block', subject, details))
  }
  return findings
}
