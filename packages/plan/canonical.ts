import { createHash } from 'node:crypto'
import type { PlanDigest, ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'

/** JSON with sorted keys and no blanks: equal values give equal text, whatever order they were built in. Entries that are undefined are left out. */
export function canonicalJson(value: unknown): string {
  if (typeof value === 'bigint') return value.toString()
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  const entries = Object.entries(value).filter(([, held]) => held !== undefined)
  entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return `{${entries.map(([key, held]) => `${JSON.stringify(key)}:${canonicalJson(held)}`).join(',')}}`
}

/** The digest of a plan; see `PlanDigest` for what is in it. */
export function digestOf(plan: Omit<ResolvedPlan, 'digest'>): PlanDigest {
  const { digest: _, ...rest } = plan as ResolvedPlan
  const tables = rest.tables.map(({ estimate: _estimate, ...table }) => table)
  return createHash('sha256')
    .update(canonicalJson({ ...rest, tables }))
    .digest('hex') as PlanDigest
}
