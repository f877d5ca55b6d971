import type { Clock } from '@crossfade/model/clock.ts'
import type { Evidence } from '@crossfade/model/evidence.ts'
import { rung, type Stage, stages } from '@crossfade/model/stage.ts'
import { answer, type Command, commands, nextMove, refusals } from '@crossfade/stages/machine.ts'
import type { Task } from '@crossfade/tracks/contract/tasks.ts'
import type { Track } from '@crossfade/tracks/contract/track.ts'
import type {
  CommandView,
  MigrationDetail,
  MigrationStatus,
  MigrationSummary,
  RungView,
  StepView,
  TransitionView,
  VerificationView,
} from './contract.ts'
import type { MigrationState } from './state.ts'
import type { ControlStore, MigrationRecord, Posted } from './store.ts'
import { chunkView, copyView, schemaWorkView, shardViews, streamView, throttleView, workerViews } from './views.ts'

/** Rates are looked at over this long. */
const rateMs = 30_000

/** One line of the list of migrations. `state` is the fold of its journal; everything else is read now. */
export async function summaryOf(
  store: ControlStore,
  clock: Clock,
  record: MigrationRecord,
  state: MigrationState,
): Promise<MigrationSummary> {
  const [copy, posted, openMismatches] = await Promise.all([
    store.tasks.totals(record.id, 'copy'),
    store.board.list(record.id, 'stream'),
    store.reports.openCount(record.id),
  ])
  return summary(clock, record, state, copy, posted, openMismatches)
}

/** Everything that is shown of one migration. `state` is the fold of its journal; tasks, board, reports and samples are read now. */
export async function detailOf(
  store: ControlStore,
  clock: Clock,
  track: Track,
  record: MigrationRecord,
  state: MigrationState,
): Promise<MigrationDetail> {
  const { id, plan } = record
  const [tasks, posted, openMismatches, [last], workers, rates] = await Promise.all([
    store.tasks.list(id),
    store.board.list(id),
    store.reports.openCount(id),
    store.reports.list(id, 1),
    workerViews(store, clock),
    ratesOf(store, clock, record),
  ])
  const streams = tasks
    .filter((task) => task.kind === 'stream')
    .map((task) =>
      streamView(
        task,
        plan,
        posted.find((each) => each.kind === 'stream' && each.name === task.payload['shard']),
      ),
    )
  const copy = copyView(tasks.filter((task) => task.kind === 'copy').map(chunkView), rates)
  return {
    ...summary(clock, record, state, copy, posted, openMismatches),
    plan,
    ladder: ladder(state, posted),
    transition: transition(track, state, posted),
    commands: commandViews(state),
    copy,
    schemaWork: tasks.filter((task) => task.kind === 'schema-work').map(schemaWorkView),
    streams,
    verification: verification(
      state,
      tasks,
      last ?? null,
      openMismatches,
      streams.reduce((sum, stream) => sum + stream.touched, 0),
    ),
    cutovers: state.cutovers,
    throttle: throttleView(posted),
    shards: shardViews(plan, state, posted),
    workers,
    findings: state.findings,
    routing: state.routing,
    backup: state.backup,
    version: state.version,
  }
}

function summary(
  clock: Clock,
  record: MigrationRecord,
  state: MigrationState,
  copy: { readonly bytesDone: number; readonly bytesTotal: number },
  posted: readonly Posted[],
  openMismatches: number,
): MigrationSummary {
  const { plan } = record
  const { stage, desired } = state.place
  const lags = posted
    .filter((each) => each.kind === 'stream' && clock.now() - each.at < rateMs)
    .map((each) => Number(each.body['lagMs']))
  return {
    id: record.id,
    name: record.name,
    planDigest: plan.digest,
    stage,
    desiredStage: desired,
    status: statusOf(state),
    createdAt: record.createdAt,
    updatedAt: state.updatedAt,
    sourceShards: plan.source.shards.length,
    targetShards: plan.target.shards.length,
    tables: plan.tables.length,
    copied: stage !== 'off' ? 1 : copy.bytesTotal === 0 ? 0 : Math.min(1, copy.bytesDone / copy.bytesTotal),
    lagMs: lags.length === 0 || stage === 'complete' ? null : Math.max(...lags),
    openMismatches,
    failure:
      state.failure ??
      Object.values(state.steps).findLast((step) => step.failure !== null && step.finishedAt === null)?.failure ??
      null,
  }
}

/** One word for where the migration stands. */
export function statusOf(state: MigrationState): MigrationStatus {
  const { place } = state
  if (place.aborted) return 'aborted'
  if (place.stage === 'complete') return 'complete'
  if (state.failure) return 'stopped'
  if (place.paused) return 'paused'
  const next = nextMove(place)
  if (next.kind === 'start' && rung(next.move.to) > rung(next.move.from)) return 'holding'
  if (next.kind !== 'rest') return 'moving'
  return place.stage === 'off' && state.version <= 1 ? 'created' : 'resting'
}

function ladder(state: MigrationState, posted: readonly Posted[]): readonly RungView[] {
  const evidence = posted
    .filter((each) => each.kind === 'gate')
    .map((each) => each.body as unknown as Evidence & { readonly stage: Stage })
  return stages.map((stage) => ({
    stage,
    state: rungState(state, stage),
    enteredAt: state.enteredAt[stage] ?? null,
    gates: evidence.filter((each) => each.stage === stage).map(({ stage: _stage, ...rest }) => rest),
  }))
}

function rungState({ place }: MigrationState, stage: Stage): RungView['state'] {
  if (place.moving) {
    if (stage === place.moving.to) return 'entering'
    if (stage === place.moving.from) return 'leaving'
  }
  if (stage === place.stage) return 'current'
  return rung(stage) < rung(place.stage) ? 'done' : 'ahead'
}

/** The transition under way with its steps, those to come included; null at rest. */
export function transition(track: Track, state: MigrationState, posted: readonly Posted[]): TransitionView | null {
  const { move } = state
  if (!move) return null
  const direction = rung(move.to) > rung(move.from) ? 'up' : 'down'
  const steps = track.transitions[move.from][direction].map((step): StepView => {
    const seen = state.steps[step.name]
    const told = posted.find(
      (each) => each.kind === 'step' && each.name === step.name && Date.parse(move.startedAt) <= each.at,
    )
    return {
      name: step.name,
      title: step.title,
      state: !seen ? 'waiting' : seen.finishedAt ? 'done' : seen.failure ? 'failed' : 'running',
      startedAt: seen?.startedAt ?? null,
      finishedAt: seen?.finishedAt ?? null,
      attempts: seen?.attempts ?? 0,
      detail: seen && !seen.finishedAt ? ((told?.body['text'] as string | undefined) ?? null) : null,
      failure: seen?.failure ?? null,
    }
  })
  return { from: move.from, to: move.to, direction, startedAt: move.startedAt, steps }
}

function commandViews(state: MigrationState): Readonly<Record<Command, CommandView>> {
  return Object.fromEntries(
    commands.map((command) => {
      const given = answer(state.place, command)
      const useless =
        command === 'resume' ? !state.place.paused && !state.failure : command === 'pause' && state.place.paused
      if (!given.allowed) return [command, { allowed: false, to: null, reason: refusals[given.refusal] }]
      const moves = command !== 'pause' && command !== 'resume'
      return [
        command,
        {
          allowed: !useless,
          to: moves ? given.place.desired : null,
          reason: useless ? (command === 'resume' ? 'it is not paused' : 'it is paused') : null,
        },
      ]
    }),
  ) as Record<Command, CommandView>
}

function verification(
  state: MigrationState,
  tasks: readonly Task[],
  last: VerificationView['last'],
  openMismatches: number,
  touched: number,
): VerificationView {
  const { running } = state.verification
  const ranges = tasks.filter((task) => task.kind === 'verify')
  const done = ranges.filter((task) => task.state === 'done')
  return {
    running: running
      ? {
          id: running.id,
          scope: running.repair ? 'repair' : 'full',
          startedAt: running.startedAt,
          rangesDone: done.length,
          rangesTotal: ranges.length,
          rowsDone: done.reduce((sum, task) => sum + Number(task.result?.['rows'] ?? 0), 0),
        }
      : null,
    last,
    openMismatches,
    touched,
  }
}

/** Over the last 30 s, from the samples. */
async function ratesOf(store: ControlStore, clock: Clock, record: MigrationRecord) {
  const names = ['copy.bytesPerSecond', 'copy.rowsPerSecond']
  const now = clock.now()
  const series = await store.samples.read(record.id, names, now - rateMs, now)
  const mean = (name: string) => {
    const values = series[name]?.values ?? []
    return values.length === 0 ? 0 : Math.round(values.reduce((sum, value) => sum + value, 0) / values.length)
  }
  return { bytesPerSecond: mean('copy.bytesPerSecond'), rowsPerSecond: mean('copy.rowsPerSecond') }
}
