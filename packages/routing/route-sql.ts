import { sqlLiteral } from './sql-text.ts'
import type { Topology } from './topology.ts'

/**
 * An SQL expression (type text) that gives the id of the shard which `route` finds for the key that `keyExpression` (type text) gives.
 * It is NULL exactly where `route` throws: for keys that no shard owns, and for NULL outside `single`.
 */
export function routeSql(topology: Topology, keyExpression: string): string {
  const key = `(${keyExpression})`
  switch (topology.kind) {
    case 'single':
      return `${sqlLiteral(topology.shard)}::text`
    case 'hash': {
      const bucket = `(pg_catalog.hashtext(${key}) & 2147483647) % ${topology.buckets}`
      const cases = topology.ranges.map(
        (range) =>
          `WHEN crossfade_bucket.b >= ${range.from} AND crossfade_bucket.b < ${range.to} THEN ${sqlLiteral(range.shard)}`,
      )
      return `(SELECT ${caseOf(cases)} FROM (SELECT ${bucket} AS b OFFSET 0) AS crossfade_bucket)`
    }
    case 'range':
      return topology.order === 'integer' ? integerRange(topology, key) : textRange(topology, key)
    case 'directory': {
      // One constant of type jsonb is searched in O(log n), where a CASE of thousands of branches would be walked for each row.
      const listed = `${sqlLiteral(JSON.stringify(topology.entries))}::jsonb ->> ${key}`
      if (topology.otherwise === null) return `(${listed})`
      return `CASE WHEN ${key} IS NOT NULL THEN COALESCE(${listed}, ${sqlLiteral(topology.otherwise)}) END`
    }
  }
}

type RangeTopology = Extract<Topology, { kind: 'range' }>

function integerRange(topology: RangeTopology, key: string): string {
  const cases = topology.ranges.map((range) =>
    branch(range, (bound) => `${BigInt(bound)}::numeric`, 'crossfade_integer.k'),
  )
  // Only plain integers are keys: `1e3`, ` 5` or `NaN`, which numeric would read too, belong to nobody.
  const integer = `CASE WHEN ${key} ~ '^-?[0-9]+$' THEN ${key}::numeric END`
  return `(SELECT ${caseOf(cases)} FROM (SELECT ${integer} AS k OFFSET 0) AS crossfade_integer)`
}

function textRange(topology: RangeTopology, key: string): string {
  return caseOf(topology.ranges.map((range) => branch(range, sqlLiteral, `${key} COLLATE "C"`)))
}

function branch(range: RangeTopology['ranges'][number], bound: (text: string) => string, key: string): string {
  const conditions = [`${key} IS NOT NULL`]
  if (range.from !== null) conditions.push(`${key} >= ${bound(range.from)}`)
  if (range.to !== null) conditions.push(`${key} < ${bound(range.to)}`)
  return `WHEN ${conditions.join(' AND ')} THEN ${sqlLiteral(range.shard)}`
}

function caseOf(branches: readonly string[]): string {
  return branches.length === 0 ? 'NULL::text' : `CASE ${branches.join(' ')} END`
}
