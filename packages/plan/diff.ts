import { tableKey } from '@crossfade/model/table-name.ts'
import type { ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import { canonicalJson } from './canonical.ts'

/** One thing that two plans say differently. `before` is undefined for what is new, `after` for what is gone. */
export interface PlanChange {
  /** `tables.public.orders.where`, `cutover.deadlineMs`, `source.shards.source/a.url`. */
  readonly place: string
  readonly before: unknown
  readonly after: unknown
}

/** What changed from one resolved plan to another; digests and estimates do not count. Empty when they mean the same. */
export function diffPlans(before: ResolvedPlan, after: ResolvedPlan): readonly PlanChange[] {
  const changes: PlanChange[] = []
  compare('', comparable(before), comparable(after), changes)
  return changes
}

/** The changes as lines: `+` new, `-` gone, `~` changed. */
export function describeChanges(changes: readonly PlanChange[]): string {
  if (changes.length === 0) return 'Nothing changed since the plan was last applied.'
  return changes
    .map(({ place, before, after }) => {
      if (before === undefined) return `+ ${place} ${brief(after)}`
      if (after === undefined) return `- ${place} ${brief(before)}`
      return `~ ${place}: ${brief(before)} → ${brief(after)}`
    })
    .join('\n')
}

/** Lists whose entries have names become objects, so that an entry that moved is not taken for two that changed. */
function comparable(plan: ResolvedPlan): object {
  const { digest: _, tables, source, target, gates, ...rest } = plan
  const side = ({ topology, shards }: ResolvedPlan['source']) => ({
    topology,
    shards: Object.fromEntries(shards.map((shard) => [shard.id, shard])),
  })
  return {
    ...rest,
    source: side(source),
    target: side(target),
    tables: Object.fromEntries(
      tables.map(({ estimate: _estimate, columns, ...table }) => [
        tableKey(table.source),
        { ...table, columns: Object.fromEntries(columns.map((column) => [column.source, column])) },
      ]),
    ),
    order: tables.map((table) => tableKey(table.source)),
    gates: Object.fromEntries(gates.map((gate, index) => [`${gate.stage} ${gate.name || index}`, gate])),
  }
}

function compare(place: string, before: unknown, after: unknown, changes: PlanChange[]): void {
  if (canonicalJson(before) === canonicalJson(after)) return
  if (!isPlain(before) || !isPlain(after)) {
    changes.push({ place, before, after })
    return
  }
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    compare(place === '' ? key : `${place}.${key}`, before[key], after[key], changes)
  }
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function brief(value: unknown): string {
  if (isPlain(value)) return ''
  const text = canonicalJson(value)
  return text.length > 120 ? `${text.slice(0, 119)}…` : text
}
