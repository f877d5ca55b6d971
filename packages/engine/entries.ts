import type { Evidence } from '@crossfade/model/evidence.ts'
import type { Finding } from '@crossfade/model/finding.ts'
import type { Stage } from '@crossfade/model/stage.ts'
import type { Routing } from '@crossfade/routing/routing.ts'
import type { Command } from '@crossfade/stages/machine.ts'
import type { CutoverNote, VerificationRun } from '@crossfade/tracks/contract/ports.ts'
import type { Json } from '@crossfade/tracks/contract/tasks.ts'
import type { FailureView } from './contract.ts'
import type { NewEntry } from './store.ts'

/** Every kind of journal entry and what it holds. The state of a migration is the fold of these (`state.ts`) and nothing else. */
export type EntryBodies = {
  created: { readonly name: string; readonly digest: string; readonly routing: Routing }
  commanded: {
    readonly command: Command
    readonly desired: Stage
    readonly paused: boolean
    readonly aborting: boolean
  }
  approved: { readonly gate: string; readonly approved: boolean }
  'move-started': { readonly from: Stage; readonly to: Stage }
  'move-reversed': { readonly from: Stage; readonly to: Stage }
  'step-started': { readonly step: string }
  'step-finished': { readonly step: string; readonly result: Json }
  'step-failed': { readonly step: string; readonly failure: FailureView }
  'stage-entered': { readonly stage: Stage; readonly from: Stage }
  stopped: { readonly failure: FailureView }
  gate: { readonly stage: Stage; readonly evidence: Evidence }
  'gate-breached': { readonly stage: Stage; readonly evidence: Evidence; readonly desired: Stage }
  routing: { readonly routing: Routing; readonly note: CutoverNote }
  findings: { readonly findings: readonly Finding[] }
  'verification-requested': { readonly run: VerificationRun }
  'verification-started': { readonly run: VerificationRun }
  'verification-finished': {
    readonly run: string
    readonly rows: number
    readonly mismatches: number
    readonly repaired: number
  }
  throttle: { readonly state: string; readonly reason: string }
  aborted: Record<string, never>
}

export type EntryKind = keyof EntryBodies

/** Actor of what nobody asked for just now. */
export const engineActor = 'engine'

/** Makes an entry with its sentence for people. */
export function entry<Kind extends EntryKind>(
  kind: Kind,
  body: EntryBodies[Kind],
  actor: string = engineActor,
): NewEntry {
  return { kind, actor, summary: sentences[kind](body), body: body as Json }
}

const sentences: { readonly [Kind in EntryKind]: (body: EntryBodies[Kind]) => string } = {
  created: (body) => `Created from the plan ${body.name}.`,
  commanded: (body) =>
    body.command === 'pause' || body.command === 'resume'
      ? `Asked to ${body.command}.`
      : `Asked to ${body.command}, to ${body.desired}.`,
  approved: (body) =>
    body.approved ? `Approved the gate ${body.gate}.` : `Withdrew the approval of the gate ${body.gate}.`,
  'move-started': (body) => `Leaves ${body.from} for ${body.to}.`,
  'move-reversed': (body) => `Turns round on the way to ${body.from}, back to ${body.to}.`,
  'step-started': (body) => `Begins: ${body.step}.`,
  'step-finished': (body) => `Done: ${body.step}.`,
  'step-failed': (body) => `Failed: ${body.step}: ${body.failure.message}`,
  'stage-entered': (body) => `Is at ${body.stage}.`,
  stopped: (body) => `Stopped at ${body.failure.where}: ${body.failure.message}`,
  gate: (body) => `Gate ${body.evidence.gate}: ${body.evidence.verdict}, ${body.evidence.detail}.`,
  'gate-breached': (body) =>
    `Gate ${body.evidence.gate} was breached at ${body.stage} (${body.evidence.detail}): goes back to ${body.desired}.`,
  routing: (body) => routingSentence(body.routing, body.note),
  findings: (body) => `Found ${body.findings.length} things to know.`,
  'verification-requested': (body) => `Asked to verify${body.run.repair ? ' and repair' : ''}.`,
  'verification-started': () => 'Verifies every row.',
  'verification-finished': (body) =>
    `Verified ${body.rows} rows: ${body.mismatches} differ${body.repaired > 0 ? `, ${body.repaired} repaired` : ''}.`,
  throttle: (body) => `Throttle ${body.state}: ${body.reason}.`,
  aborted: () => 'Aborted: everything was taken back and removed.',
}

function routingSentence(routing: Routing, note: CutoverNote): string {
  const units = note.units.join(', ')
  const sentence = {
    fencing: `Fences ${units} to give them to the ${note.to}`,
    flipped: `The ${note.to} has the authority over ${units}`,
    opening: `Goes on to open the ${note.to} for ${units}`,
    opened: `The ${note.to} is open for ${units}`,
    undoing: `Takes the cutover of ${units} back`,
    undone: `The cutover of ${units} was put back, nothing has changed`,
    told: 'The hooks know',
  }[note.event]
  return `${sentence}${note.reason ? ` (${note.reason})` : ''}; routing epoch ${routing.epoch}.`
}
