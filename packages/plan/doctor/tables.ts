import type { Finding } from '@crossfade/model/finding.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import type { CatalogTable } from '@crossfade/pipeline/catalog.ts'
import type { ResolvedTable } from '@crossfade/pipeline/resolved-plan.ts'
import { formatCount } from '../quantity.ts'
import { quoteTable } from '../table-pattern.ts'
import { finding } from './finding.ts'
import type { Subject } from './subject.ts'

/** What tables have that cannot be carried, or only with care. */
export function checkTables(subject: Subject): Finding[] {
  const { resolution, survey } = subject
  const findings: Finding[] = resolution.selection.foreignTables.map((table) =>
    finding('CF2133', 'warn', tableKey(table.name), { table: tableKey(table.name) }),
  )
  const resolved = new Map(resolution.plan?.tables.map((table) => [tableKey(table.source), table]))
  const moved = new Set(resolution.selection.tables.map(({ table }) => tableKey(table.name)))
  for (const { table, onShards } of resolution.selection.tables) {
    const key = tableKey(table.name)
    findings.push(...checkTable(table, subject), ...checkReferences(table, moved, resolved))
    const inPlan = resolved.get(key)
    if (inPlan) findings.push(...checkResolved(inPlan, survey.source.shards.length + survey.target.shards.length > 2))
    for (const { shard, table: there } of onShards) {
      const details = { table: key, shard, tableQuoted: quoteTable(table.name) }
      if (there.replicaIdentity === 'nothing') findings.push(finding('CF2122', 'block', `${shard} ${key}`, details))
      if (there.rows < 0 && there.heapBytes > 0) findings.push(finding('CF2141', 'note', `${shard} ${key}`, details))
    }
  }
  for (const [name, transformer] of subject.loaded.transforms) {
    if (transformer.backward === null) findings.push(finding('CF2130', 'warn', name, { table: name }))
  }
  return [...findings, ...checkTarget(subject)]
}

function checkTable(table: CatalogTable, { loaded }: Subject): Finding[] {
  const key = tableKey(table.name)
  const findings: Finding[] = []
  const details = { table: key, tableQuoted: quoteTable(table.name) }
  if (!table.primaryKey && table.uniqueKeys.length === 0) findings.push(finding('CF2109', 'warn', key, details))
  const excluded = Object.entries(loaded.document.tables?.columns ?? {}).find(
    ([name]) => name === key || name === table.name.name,
  )?.[1].exclude
  for (const column of table.columns) {
    if (column.obstacle === null || excluded?.includes(column.name)) continue
    const more = { column: column.name, type: column.type, reason: column.obstacle }
    findings.push(finding('CF2112', 'block', `${key}.${column.name}`, { ...details, ...more }))
  }
  return findings
}

/** Foreign keys out of the plan, and from tables that live everywhere to tables that do not. */
function checkReferences(
  table: CatalogTable,
  moved: ReadonlySet<string>,
  resolved: ReadonlyMap<string, ResolvedTable>,
): Finding[] {
  const key = tableKey(table.name)
  return table.foreignKeys.flatMap((foreign) => {
    const parent = tableKey(foreign.parent)
    if (!moved.has(parent)) {
      return [finding('CF2145', 'warn', `${key}.${foreign.name}`, { table: key, constraint: foreign.name, parent })]
    }
    const routes = [resolved.get(key)?.route.kind, resolved.get(parent)?.route.kind]
    const isStranded = routes[0] === 'reference' && (routes[1] === 'column' || routes[1] === 'parent')
    return isStranded ? [finding('CF2140', 'block', `${key}.${foreign.name}`, { table: key, parent })] : []
  })
}

function checkResolved(table: ResolvedTable, isSharded: boolean): Finding[] {
  const { identity, route } = table
  if (!isSharded || identity.kind !== 'key' || route.kind !== 'column' || identity.columns.includes(route.column))
    return []
  const key = tableKey(table.source)
  return [finding('CF2144', 'note', key, { table: key, column: route.column, identity: identity.columns.join(', ') })]
}

/** What is on the targets already, and what is not there though it must be. */
function checkTarget({ survey, resolution, loaded }: Subject): Finding[] {
  const findings: Finding[] = []
  const existing = loaded.document.schema?.mode === 'existing'
  for (const shard of survey.target.shards) {
    // A migration is under way here: its tables are expected.
    if (shard.objects.crossfadeMigrations.length > 0) continue
    for (const table of resolution.plan?.tables ?? []) {
      const key = tableKey(table.target)
      const subject = `${shard.id} ${key}`
      const there = shard.tables.find((other) => tableKey(other.name) === key)
      if (!there) {
        if (existing) findings.push(finding('CF2136', 'block', subject, { shard: shard.id, what: 'table', table: key }))
        continue
      }
      const isEmpty = there.heapBytes === 0
      if (!existing || !isEmpty) {
        const rows = isEmpty ? 'no rows' : there.rows > 0 ? `about ${formatCount(there.rows)} rows` : 'rows'
        findings.push(finding('CF2117', 'block', subject, { table: key, shard: shard.id, rows }))
      }
      if (!existing || table.transform !== null) continue
      for (const column of table.columns) {
        if (there.columns.some(({ name }) => name === column.target)) continue
        findings.push(
          finding('CF2147', 'block', `${subject}.${column.target}`, {
            table: key,
            shard: shard.id,
            column: column.target,
          }),
        )
      }
    }
  }
  return findings
}
