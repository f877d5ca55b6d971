import type { Evidence } from '@crossfade/model/evidence.ts'
import type { Finding } from '@crossfade/model/finding.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import type { Side, Stage } from '@crossfade/model/stage.ts'
import { otherSide } from '@crossfade/model/stage.ts'
import type { Routing } from '@crossfade/routing/routing.ts'
import { arrived, began, ended, type Move, type Place, startingPlace } from '@crossfade/stages/machine.ts'
import type { CutoverNote, VerificationRun } from '@crossfade/tracks/contract/ports.ts'
import type { CutoverView, FailureView, JournalEntry } from './contract.ts'
import type { EntryBodies, EntryKind } from './entries.ts'

/** Where a migration stands: the fold of its journal. */
export interface MigrationState {
  readonly version: number
  readonly updatedAt: string
  readonly place: Place
  readonly enteredAt: Readonly<Partial<Record<Stage, string>>>
  /** The transition under way and how far its steps are. */
  readonly move: (Move & { readonly startedAt: string }) | null
  readonly steps: Readonly<Record<string, StepState>>
  /** One that needs a person; nothing starts while it is there. */
  readonly failure: FailureView | null
  readonly routing: Routing
  readonly lastNote: CutoverNote | null
  readonly closed: Readonly<Record<Side, readonly ShardId[]>>
  readonly cutovers: readonly CutoverView[]
  readonly findings: readonly Finding[]
  readonly approved: ReadonlySet<string>
  readonly gates: Readonly<Record<string, Evidence>>
  readonly verification: { readonly running: VerificationRun | null; readonly requested: VerificationRun | null }
  readonly backup: { readonly path: string; readonly bytes: number; readonly drilled: boolean } | null
}

export interface StepState {
  readonly startedAt: string
  readonly finishedAt: string | null
  readonly attempts: number
  readonly failure: FailureView | null
}

/** Cutovers are kept for people to look at; this many. */
const cutoversKeptMax = 50

const nowhere: Routing = {
  epoch: 0,
  source: { kind: 'single', shard: '' as ShardId },
  target: { kind: 'single', shard: '' as ShardId },
  authority: {},
  fenced: [],
}

export const emptyState: MigrationState = {
  version: 0,
  updatedAt: '',
  place: startingPlace,
  enteredAt: {},
  move: null,
  steps: {},
  failure: null,
  routing: nowhere,
  lastNote: null,
  closed: { source: [], target: [] },
  cutovers: [],
  findings: [],
  approved: new Set(),
  gates: {},
  verification: { running: null, requested: null },
  backup: null,
}

/** The state after more entries, which must follow on it without a gap. Pure. */
export function fold(state: MigrationState, entries: readonly JournalEntry[]): MigrationState {
  return entries.reduce(foldOne, state)
}

function foldOne(state: MigrationState, entry: JournalEntry): MigrationState {
  const rule = rules[entry.kind as EntryKind] as
    | ((state: MigrationState, body: unknown, at: string) => Partial<MigrationState>)
    | undefined
  // An entry of a newer version of Crossfade: what it means is not known here, that it happened is.
  const change = rule ? rule(state, entry.body, entry.at) : {}
  return { ...state, ...change, version: entry.version, updatedAt: entry.at }
}

const rules: {
  readonly [Kind in EntryKind]: (state: MigrationState, body: EntryBodies[Kind], at: string) => Partial<MigrationState>
} = {
  created: (_state, body, at) => ({ routing: body.routing, enteredAt: { off: at } }),
  commanded: (state, body) => ({
    place: { ...state.place, desired: body.desired, paused: body.paused, aborting: body.aborting },
    // Whatever a person asks for but a pause, they have seen the failure and want it tried again.
    ...(body.command === 'pause' ? {} : { failure: null, steps: withoutFailed(state.steps, state.failure !== null) }),
  }),
  approved: (state, body) => {
    const approved = new Set(state.approved)
    if (body.approved) approved.add(body.gate)
    else approved.delete(body.gate)
    return { approved }
  },
  'move-started': onTheWay,
  'move-reversed': onTheWay,
  'step-started': (state, body, at) =>
    withStep(state, body.step, () => ({ startedAt: at, finishedAt: null, attempts: 0, failure: null })),
  'step-finished': (state, body, at) => ({
    ...withStep(state, body.step, (before) => ({
      startedAt: before?.startedAt ?? at,
      finishedAt: at,
      attempts: (before?.attempts ?? 0) + 1,
      failure: null,
    })),
    ...(body.step === 'backup' && body.result['path'] ? { backup: body.result as MigrationState['backup'] } : {}),
  }),
  'step-failed': (state, body, at) =>
    withStep(state, body.step, (before) => ({
      startedAt: before?.startedAt ?? at,
      finishedAt: null,
      attempts: (before?.attempts ?? 0) + 1,
      failure: body.failure,
    })),
  'stage-entered': (state, body, at) => ({
    place: arrived(state.place),
    move: null,
    enteredAt: { ...state.enteredAt, [body.stage]: at },
    ...(body.stage === 'off' || body.stage === 'complete'
      ? { verification: { running: null, requested: null }, closed: { source: [], target: [] } }
      : {}),
  }),
  stopped: (_state, body) => ({ failure: body.failure }),
  gate: (state, body) => ({ gates: { ...state.gates, [body.evidence.gate]: body.evidence } }),
  'gate-breached': (state, body) => ({
    place: { ...state.place, desired: body.desired },
    gates: { ...state.gates, [body.evidence.gate]: body.evidence },
  }),
  routing: (state, body, at) => ({
    routing: body.routing,
    lastNote: body.note,
    closed: closedAfter(state.closed, body.note),
    cutovers: cutoversAfter(state.cutovers, body.note, at, body.routing.fenced.length > 0),
  }),
  findings: (state, body) => ({
    findings: [
      ...state.findings.filter(
        (old) => !body.findings.some((now) => now.code === old.code && now.subject === old.subject),
      ),
      ...body.findings,
    ],
  }),
  'verification-requested': (state, body) => ({ verification: { ...state.verification, requested: body.run } }),
  // The journal's clock counts: it is the one that steps are measured by.
  'verification-started': (state, body, at) => ({
    verification: {
      running: { ...body.run, startedAt: at },
      requested: state.verification.requested?.id === body.run.id ? null : state.verification.requested,
    },
  }),
  'verification-finished': (state) => ({ verification: { ...state.verification, running: null } }),
  throttle: () => ({}),
  aborted: (state) => ({ place: ended(state.place), move: null }),
}

/** A transition begins anew, whichever way: what was done of one the other way is no part of it. */
function onTheWay(state: MigrationState, { from, to }: Move, at: string): Partial<MigrationState> {
  return { place: began(state.place, { from, to }), move: { from, to, startedAt: at }, steps: {} }
}

function withStep(
  state: MigrationState,
  step: string,
  change: (before: StepState | undefined) => StepState,
): Partial<MigrationState> {
  return { steps: { ...state.steps, [step]: change(state.steps[step]) } }
}

/** After a person has looked at a failure the failed step begins anew. */
function withoutFailed(steps: MigrationState['steps'], stopped: boolean): MigrationState['steps'] {
  return stopped ? Object.fromEntries(Object.entries(steps).filter(([, step]) => step.finishedAt !== null)) : steps
}

function closedAfter(closed: MigrationState['closed'], note: CutoverNote): MigrationState['closed'] {
  const from = otherSide(note.to)
  if (note.event === 'flipped') return { ...closed, [from]: [...new Set([...closed[from], ...note.units])] }
  if (note.event === 'opened')
    return { ...closed, [note.to]: closed[note.to].filter((unit) => !note.units.includes(unit)) }
  return closed
}

function cutoversAfter(
  cutovers: readonly CutoverView[],
  note: CutoverNote,
  at: string,
  fenced: boolean,
): readonly CutoverView[] {
  if (note.event === 'fencing') {
    const { units, to, attempt } = note
    const begun: CutoverView = {
      units,
      to,
      attempt,
      outcome: 'running',
      startedAt: at,
      pauseMs: null,
      parts: {},
      reason: null,
    }
    return [...cutovers, begun].slice(-cutoversKeptMax)
  }
  const last = cutovers.at(-1)
  if (!last) return cutovers
  const pauseMs = Date.parse(at) - Date.parse(last.startedAt)
  const parts = { ...last.parts, ...note.parts }
  const now: Partial<CutoverView> | undefined = {
    flipped: { outcome: 'flipped' as const, parts, ...(fenced ? {} : { pauseMs }) },
    opening: {},
    opened: { pauseMs, parts },
    undoing: { reason: note.reason, parts },
    undone: { outcome: 'undone' as const, pauseMs, parts },
    told: {},
  }[note.event]
  return [...cutovers.slice(0, -1), { ...last, ...now }]
}
