import { type Failure, fail } from '@crossfade/model/failure.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import type { CatalogTable, WriteRate } from '@crossfade/pipeline/catalog.ts'
import type { ResolvedPlan, ResolvedSide, ResolvedTable } from '@crossfade/pipeline/resolved-plan.ts'
import { digestOf } from './canonical.ts'
import { type Forecast, forecast } from './forecast.ts'
import { changeLimits, copyLimits, cutoverLimits, resolveGates, throttleLimits, verificationLimits } from './limits.ts'
import type { LoadedPlan } from './load.ts'
import { reportLosses } from './losses.ts'
import { orderTables } from './order.ts'
import { resolveTable, tableChoices } from './resolve-table.ts'
import { resolveRoutes } from './routes.ts'
import { type Selection, selectTables } from './selection.ts'
import { topologyOf } from './sides.ts'
import type { SideSurvey, Survey } from './survey.ts'

/** What the planner found out, as far as it came. */
export interface Resolution {
  /** Null when there are problems. */
  readonly plan: ResolvedPlan | null
  readonly forecast: Forecast | null
  /** Everything that keeps the plan from being carried out, each once, in the order in which it was found. */
  readonly problems: readonly Failure[]
  /** Matters less than a problem: a pattern that matches nothing. */
  readonly remarks: readonly Failure[]
  readonly selection: Selection
  /** The tables as the catalogs describe them, by key, one for each source shard. */
  readonly catalog: ReadonlyMap<string, readonly CatalogTable[]>
}

/** Makes the resolved plan, or throws the first problem. */
export function resolvePlan(loaded: LoadedPlan, survey: Survey): ResolvedPlan {
  const { plan, problems } = resolve(loaded, survey)
  if (plan) return plan
  throw problems[0]!
}

/** Decides everything that a plan leaves open, from what the databases look like. Pure: the same plan and survey give the same result. */
export function resolve(
  loaded: LoadedPlan,
  survey: Survey,
  writeRates: ReadonlyMap<ShardId, WriteRate> | null = null,
): Resolution {
  const problems: Failure[] = []
  const remarks: Failure[] = []
  const report = (failure: Failure) => {
    const list = failure.code === 'CF1014' ? remarks : problems
    if (!list.some((known) => known.message === failure.message)) list.push(failure)
  }
  for (const side of [survey.source, survey.target]) for (const { failure } of side.failures) report(failure)
  checkOverlap(survey, report)

  const { document } = loaded
  const choices = document.tables ?? {}
  const source = resolveSide(survey.source, report)
  const target = resolveSide(survey.target, report)
  const selection = selectTables(survey.source.shards, choices, report)
  reportLosses(survey.source.shards, selection, document.schema?.largeObjects === 'ignore', report)
  const tables = selection.tables.map(({ table }) => table)
  const catalog = new Map(
    selection.tables.map(({ table, onShards }) => [tableKey(table.name), onShards.map((one) => one.table)]),
  )
  const isSplit = survey.source.shape.shards.length > 1 || survey.target.shape.shards.length > 1
  const routes = isSplit
    ? resolveRoutes(tables, choices, report)
    : new Map(tables.map((table) => [tableKey(table.name), { kind: 'whole' as const }]))
  const single = tableChoices(tables, choices, loaded.transforms.keys(), report)
  const mode = document.schema?.mode ?? 'create'
  const resolved = new Map<string, ResolvedTable>()
  for (const selected of selection.tables) {
    const key = tableKey(selected.table.name)
    const route = routes.get(key)
    if (route) resolved.set(key, resolveTable(selected, route, single, survey.target.shards, mode, report))
  }
  checkTargetNames([...resolved.values()], report)

  const sources = survey.source.shape.shards.map(({ id }) => id)
  const shards = [...sources, ...survey.target.shape.shards.map(({ id }) => id)]
  const cutover = cutoverLimits(document.cutover ?? {}, sources, loaded.path, report)
  const throttle = throttleLimits(document, sources, report)
  const gates = resolveGates(document.gates ?? {}, cutover.lagMsMax, shards, report)
  if (!source || !target || problems.length > 0)
    return { plan: null, forecast: null, problems, remarks, selection, catalog }

  const ordered = orderTables(tables, routes)
  const plan: Omit<ResolvedPlan, 'digest'> = {
    name: document.name,
    module: loaded.transforms.size > 0 ? { path: loaded.path, sha256: loaded.sha256 } : null,
    source,
    target,
    tables: ordered.map((table) => resolved.get(tableKey(table.name))!),
    schema: {
      mode,
      ddl: document.schema?.ddl ?? 'stop',
      largeObjects: document.schema?.largeObjects ?? 'block',
    },
    copy: copyLimits(document.copy),
    changes: changeLimits(document.changes),
    verification: verificationLimits(document.verification),
    cutover,
    throttle,
    gates,
    backup: {
      mode: document.backup?.mode ?? 'none',
      directory: document.backup?.directory ?? null,
      drill: document.backup?.drill ?? false,
    },
    archive: document.archive ?? 'readonly',
  }
  return {
    plan: { digest: digestOf(plan), ...plan },
    forecast: forecast(plan, catalog, writeRates),
    problems,
    remarks,
    selection,
    catalog,
  }
}

function resolveSide(survey: SideSurvey, report: (failure: Failure) => void): ResolvedSide | null {
  const { shape, shards, directory } = survey
  const isUnread = shape.topology !== null && 'directory' in shape.topology && directory === null
  if (isUnread) return null
  const topology = topologyOf(shape, directory, report)
  if (!topology) return null
  return {
    topology,
    shards: shards.map(({ id, url, address, server }) => ({
      id,
      url,
      secret: address.secret,
      serverVersion: server.version,
    })),
  }
}

/** Two shards in one database would overwrite each other's rows; source and target in one would follow themselves. */
function checkOverlap(survey: Survey, report: (failure: Failure) => void): void {
  const seen = new Map<string, ShardId>()
  for (const shard of [...survey.source.shards, ...survey.target.shards]) {
    const place = `${shard.server.instance} ${shard.server.databaseOid}`
    const first = seen.get(place)
    if (first) report(fail('CF1020', { first, second: shard.id }))
    else seen.set(place, shard.id)
  }
}

function checkTargetNames(tables: readonly ResolvedTable[], report: (failure: Failure) => void): void {
  const taken = new Map<string, string>()
  for (const table of tables) {
    const target = tableKey(table.target)
    const first = taken.get(target)
    if (first) report(fail('CF1018', { first, second: tableKey(table.source), target }))
    else taken.set(target, tableKey(table.source))
  }
}
