import { type Failure, fail } from '@crossfade/model/failure.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import { type Stage, stages } from '@crossfade/model/stage.ts'
import type {
  ChangeLimits,
  CopyLimits,
  CutoverHook,
  CutoverLimits,
  ResolvedGate,
  ThrottleLimits,
  ThrottleProbe,
  ThrottleWindow,
  VerificationLimits,
} from '@crossfade/pipeline/resolved-plan.ts'
import { bytes, milliseconds } from './quantity.ts'
import type { GateSpec, HookSpec, PlanDocument } from './schema.ts'
import { findShard, secretReference } from './sides.ts'

const MiB = 2 ** 20
const GiB = 2 ** 30

/** What a plan gets that says nothing else. */
export const defaults = {
  /** Large enough that a chunk's overhead vanishes, small enough that one is redone in seconds. */
  chunkBytesMax: 64 * MiB,
  jobsPerWorker: 2,
  batchRowsMax: 10_000,
  batchBytesMax: 16 * MiB,
  batchMsMax: 50,
  spoolBytesMax: 64 * MiB,
  verifyChunkRowsMax: 50_000,
  rechecksMax: 10,
  recheckMs: 500,
  touchedKeysMax: 200_000,
  mismatchesReportedMax: 1000,
  cutoverDeadlineMs: 5000,
  fenceLockMsMax: 300,
  attemptsMax: 10,
  transactionMsMax: 2000,
  cutoverLagMsMax: 1000,
  sequenceMargin: 1000,
  latencyBudget: 0.05,
  walBytesPause: 8 * GiB,
  walBytesMax: 32 * GiB,
  hookTimeoutMs: 2000,
  /** Lag at which reading from the target starts to make sense. */
  shadowLagMsMax: 10_000,
  liveSoakMs: 2000,
} as const

/** Limits of the copy, defaults filled in; sizes in bytes. */
export function copyLimits(given: PlanDocument['copy'] = {}): CopyLimits {
  return {
    chunkBytesMax: bytes(given.chunkBytesMax ?? defaults.chunkBytesMax),
    jobsPerWorker: given.jobsPerWorker ?? defaults.jobsPerWorker,
  }
}

/** Limits of the streams, defaults filled in; sizes in bytes, times in milliseconds. */
export function changeLimits(given: PlanDocument['changes'] = {}): ChangeLimits {
  return {
    batchRowsMax: given.batchRowsMax ?? defaults.batchRowsMax,
    batchBytesMax: bytes(given.batchBytesMax ?? defaults.batchBytesMax),
    batchMsMax: milliseconds(given.batchMsMax ?? defaults.batchMsMax),
    spoolBytesMax: bytes(given.spoolBytesMax ?? defaults.spoolBytesMax),
  }
}

/** Limits of the verification, defaults filled in; times in milliseconds. */
export function verificationLimits(given: PlanDocument['verification'] = {}): VerificationLimits {
  return {
    chunkRowsMax: given.chunkRowsMax ?? defaults.verifyChunkRowsMax,
    rechecksMax: given.rechecksMax ?? defaults.rechecksMax,
    recheckMs: milliseconds(given.recheckMs ?? defaults.recheckMs),
    touchedKeysMax: given.touchedKeysMax ?? defaults.touchedKeysMax,
    mismatchesReportedMax: given.mismatchesReportedMax ?? defaults.mismatchesReportedMax,
  }
}

/** Shard names that do not exist go to `report` as CF1017. */
export function cutoverLimits(
  given: NonNullable<PlanDocument['cutover']>,
  sources: readonly ShardId[],
  planPath: string,
  report: (failure: Failure) => void,
): CutoverLimits {
  return {
    groups: cutoverGroups(given.groups ?? 'together', sources, report),
    deadlineMs: milliseconds(given.deadlineMs ?? defaults.cutoverDeadlineMs),
    fenceLockMsMax: milliseconds(given.fenceLockMsMax ?? defaults.fenceLockMsMax),
    attemptsMax: given.attemptsMax ?? defaults.attemptsMax,
    transactionMsMax: milliseconds(given.transactionMsMax ?? defaults.transactionMsMax),
    lagMsMax: milliseconds(given.lagMsMax ?? defaults.cutoverLagMsMax),
    sequenceMargin: given.sequenceMargin ?? defaults.sequenceMargin,
    hooks: (given.hooks ?? []).map((hook) => resolveHook(hook, planPath)),
  }
}

/** The throttle's limits, probes and windows, defaults filled in; what names no shard or makes no sense goes to `report`. */
export function throttleLimits(
  document: Pick<PlanDocument, 'throttle' | 'windows'>,
  sources: readonly ShardId[],
  report: (failure: Failure) => void,
): ThrottleLimits {
  const given = document.throttle ?? {}
  const ping = (shard: ShardId): ThrottleProbe =>
    ({ kind: 'query', name: `ping ${shard}`, shard, sql: 'SELECT 1', value: 'latency', max: null }) as const
  return {
    latencyBudget: given.latencyBudget === undefined ? defaults.latencyBudget : given.latencyBudget,
    probes: given.probes?.flatMap((probe, index) => resolveProbe(probe, index, sources, report)) ?? sources.map(ping),
    activeBackendsMax: given.activeBackendsMax ?? null,
    replicaLagMsMax: given.replicaLagMsMax === undefined ? null : milliseconds(given.replicaLagMsMax),
    walBytesPause: bytes(given.walBytesPause ?? defaults.walBytesPause),
    walBytesMax: bytes(given.walBytesMax ?? defaults.walBytesMax),
    diskFreeBytesMin: given.diskFreeBytesMin === undefined ? null : bytes(given.diskFreeBytesMin),
    windows: (document.windows ?? []).map((window, index) => resolveWindow(window, index, report)),
  }
}

/** The gates in front of every stage: the plan's own where it gives any for that stage, else the defaults. */
export function resolveGates(
  given: NonNullable<PlanDocument['gates']>,
  lagMsMax: number,
  shards: readonly ShardId[],
  report: (failure: Failure) => void,
): readonly ResolvedGate[] {
  const standard: Partial<Record<Stage, readonly GateSpec[]>> = {
    shadow: [{ kind: 'lag', limit: defaults.shadowLagMsMax }],
    live: [
      { kind: 'lag', limit: lagMsMax, soakMs: defaults.liveSoakMs },
      { kind: 'verified', limit: 0 },
    ],
    complete: [{ kind: 'manual' }],
  }
  return stages.flatMap((stage) => {
    const specs = (given as Partial<Record<Stage, readonly GateSpec[]>>)[stage] ?? standard[stage] ?? []
    return specs.map((spec, index) => resolveGate(stage, spec, index, shards, report))
  })
}

function resolveGate(
  stage: Stage,
  spec: GateSpec,
  index: number,
  shards: readonly ShardId[],
  report: (failure: Failure) => void,
): ResolvedGate {
  const place = `gates.${stage}[${index}]`
  const needed = spec.kind === 'query' ? 'sql' : spec.kind === 'http' ? 'url' : null
  if (needed && spec[needed] === undefined)
    report(fail('CF1002', { place: `${place}.${needed}`, reason: 'is missing' }))
  const shard = spec.shard === undefined ? null : findShard(shards, spec.shard)
  if (spec.shard !== undefined && !shard) {
    report(fail('CF1017', { shard: spec.shard, place: `${place}.shard`, known: shards.join(', ') }))
  }
  return {
    stage,
    kind: spec.kind,
    name: spec.name ?? (spec.kind === 'manual' ? `approve ${stage}` : `${spec.kind} before ${stage}`),
    limit: spec.limit ?? (spec.kind === 'lag' ? defaults.cutoverLagMsMax : spec.kind === 'verified' ? 0 : null),
    soakMs: milliseconds(spec.soakMs ?? 0),
    retreatAfterMs: spec.retreatAfterMs === undefined ? null : milliseconds(spec.retreatAfterMs),
    sql: spec.sql ?? null,
    shard: shard ?? (spec.kind === 'query' ? (shards[0] ?? null) : null),
    url: spec.url ?? null,
  }
}

function cutoverGroups(
  groups: NonNullable<NonNullable<PlanDocument['cutover']>['groups']>,
  sources: readonly ShardId[],
  report: (failure: Failure) => void,
): readonly (readonly ShardId[])[] {
  if (groups === 'together') return [sources]
  if (groups === 'each') return sources.map((shard) => [shard])
  const used = new Set<ShardId>()
  const resolved = groups.map((group, index) =>
    group.flatMap((name) => {
      const place = `cutover.groups[${index}]`
      const shard = findShard(sources, name)
      if (!shard) report(fail('CF1017', { shard: name, place, known: sources.join(', ') }))
      else if (used.has(shard)) report(fail('CF1002', { place, reason: `${name} is in two groups` }))
      if (!shard) return []
      used.add(shard)
      return [shard]
    }),
  )
  const left = sources.filter((shard) => !used.has(shard))
  if (left.length > 0)
    report(fail('CF1002', { place: 'cutover.groups', reason: `${left.join(', ')} would never move` }))
  return resolved
}

function resolveWindow(
  window: NonNullable<PlanDocument['windows']>[number],
  index: number,
  report: (failure: Failure) => void,
): ThrottleWindow {
  const { cron, timezone = 'UTC', durationMs } = window
  const refuse = (entry: string, reason: string) =>
    report(fail('CF1002', { place: `windows[${index}].${entry}`, reason }))
  const fields = cron.trim().split(/\s+/)
  if ((fields.length !== 5 && fields.length !== 6) || !fields.every((field) => /^[\w*/,?#-]+$/.test(field))) {
    refuse('cron', 'must be five fields: minute hour day month weekday')
  }
  try {
    new Intl.DateTimeFormat('en', { timeZone: timezone })
  } catch {
    refuse('timezone', `there is no time zone ${timezone}`)
  }
  return { cron, timezone, durationMs: milliseconds(durationMs) }
}

function resolveProbe(
  probe: NonNullable<NonNullable<PlanDocument['throttle']>['probes']>[number],
  index: number,
  sources: readonly ShardId[],
  report: (failure: Failure) => void,
): ThrottleProbe[] {
  if ('url' in probe) {
    return [{ kind: 'http', name: probe.name, url: probe.url, path: probe.path, max: probe.max ?? null }]
  }
  const shard = probe.shard === undefined ? sources[0] : findShard(sources, probe.shard)
  if (!shard) {
    const place = `throttle.probes[${index}].shard`
    report(fail('CF1017', { shard: probe.shard, place, known: sources.join(', ') }))
    return []
  }
  const { name, sql, value = 'latency', max = null } = probe
  return [{ kind: 'query', name, shard, sql, value, max }]
}

function resolveHook(hook: HookSpec, planPath: string): CutoverHook {
  if ('pgbouncer' in hook) {
    const { adminUrl, passwordFrom, configPath, databases } = hook.pgbouncer
    const secret = passwordFrom ? secretReference(passwordFrom, 'password', planPath) : null
    return { kind: 'pgbouncer', adminUrl, secret, configPath, databases }
  }
  if ('webhook' in hook) {
    const { url, tokenFrom, timeoutMs } = hook.webhook
    const secret = tokenFrom ? secretReference(tokenFrom, 'password', planPath) : null
    return { kind: 'webhook', url, secret, timeoutMs: milliseconds(timeoutMs ?? defaults.hookTimeoutMs) }
  }
  const { run, timeoutMs } = hook.command
  return { kind: 'command', command: run, timeoutMs: milliseconds(timeoutMs ?? defaults.hookTimeoutMs) }
}
