/** The six-stage machine of SPEC.md: what a command means at each place of the ladder, and what is to be done next. Pure. */
import { rung, type Stage, stages } from '@crossfade/model/stage.ts'

export const commands = ['advance', 'retreat', 'abort', 'pause', 'resume'] as const

/** What a person may ask of a migration's place on the ladder. */
export type Command = (typeof commands)[number]

/** Where a migration stands. */
export interface Place {
  /** The rung last entered. */
  readonly stage: Stage
  readonly desired: Stage
  /** The transition under way, between neighbours. */
  readonly moving: Move | null
  readonly paused: boolean
  readonly aborting: boolean
  readonly aborted: boolean
}

export interface Move {
  readonly from: Stage
  readonly to: Stage
}

export const startingPlace: Place = {
  stage: 'off',
  desired: 'off',
  moving: null,
  paused: false,
  aborting: false,
  aborted: false,
}

export type Refusal = 'bottom' | 'complete' | 'completing' | 'cut-over' | 'aborted' | 'aborting' | 'wrong-way'

export type Answer =
  | { readonly allowed: true; readonly place: Place }
  | { readonly allowed: false; readonly refusal: Refusal }

/** Where a command leads from a rung: a neighbour, nowhere (`null`: it moves nothing), or a refusal. */
type Rule = { readonly to: Stage | null } | { readonly refusal: Refusal }

const takeBack: Rule = { to: 'off' }
const over: Rule = { refusal: 'complete' }
const cutOver: Rule = { refusal: 'cut-over' }
const restable = { pause: { to: null }, resume: { to: null } } satisfies Partial<Record<Command, Rule>>

const rules: Record<Stage, Record<Command, Rule>> = {
  off: { advance: { to: 'dualwrite' }, retreat: { refusal: 'bottom' }, abort: takeBack, ...restable },
  dualwrite: { advance: { to: 'shadow' }, retreat: { to: 'off' }, abort: takeBack, ...restable },
  shadow: { advance: { to: 'live' }, retreat: { to: 'dualwrite' }, abort: takeBack, ...restable },
  live: { advance: { to: 'rampdown' }, retreat: { to: 'shadow' }, abort: cutOver, ...restable },
  rampdown: { advance: { to: 'complete' }, retreat: { to: 'live' }, abort: cutOver, ...restable },
  complete: { advance: over, retreat: over, abort: over, pause: over, resume: over },
}

/** What `command` means at `place`. `to` names a rung farther away for `advance` and `retreat`. Never changes `stage` or `moving`. */
export function answer(place: Place, command: Command, to?: Stage): Answer {
  if (place.aborted) return refuse('aborted')
  const rule = rules[place.stage][command]
  if ('refusal' in rule && !withdraws(place, command)) return refuse(rule.refusal)
  switch (command) {
    case 'pause':
      return accept({ ...place, paused: true })
    case 'resume':
      return accept({ ...place, paused: false })
    case 'abort':
      if (place.moving?.to === 'complete') return refuse('completing')
      return accept({ ...place, desired: 'off', aborting: true })
    case 'advance':
    case 'retreat': {
      if (place.aborting) return refuse('aborting')
      // Also `advance` may not name the rung that is being left for good.
      if (place.moving?.to === 'complete' && (command === 'retreat' || (to ?? 'complete') !== 'complete')) {
        return refuse('completing')
      }
      const withdrawn = withdraws(place, command) ? place.moving!.from : null
      if (to === undefined) return accept({ ...place, desired: withdrawn ?? (rule as { to: Stage }).to })
      const limit = withdrawn ?? place.stage
      const right = command === 'advance' ? rung(to) >= rung(limit) : rung(to) <= rung(limit)
      return right ? accept({ ...place, desired: to }) : refuse('wrong-way')
    }
  }
}

export type NextMove =
  /** Nothing to do: the desired rung is reached. */
  | { readonly kind: 'rest' }
  /** A transition to a neighbour may start (upwards: once its gates hold). */
  | { readonly kind: 'start'; readonly move: Move }
  /** Go on with the transition under way. */
  | { readonly kind: 'continue'; readonly move: Move }
  /** The transition under way is no longer wanted: go back between the same rungs. */
  | { readonly kind: 'reverse'; readonly move: Move }
  /** At `off` with everything removed: the migration ends. */
  | { readonly kind: 'end' }

/** What the engine should do next at `place`, pauses aside. */
export function nextMove(place: Place): NextMove {
  if (place.aborted) return { kind: 'rest' }
  if (place.moving) {
    const { from, to } = place.moving
    const unwanted = rung(to) > rung(from) && rung(place.desired) <= rung(from)
    if (unwanted && to !== 'complete') return { kind: 'reverse', move: { from: to, to: from } }
    return { kind: 'continue', move: place.moving }
  }
  const distance = rung(place.desired) - rung(place.stage)
  if (distance === 0) return place.aborting ? { kind: 'end' } : { kind: 'rest' }
  return { kind: 'start', move: { from: place.stage, to: stages[rung(place.stage) + Math.sign(distance)]! } }
}

/** The place after a transition began (or was turned round), ended, or the migration was ended. */
export function began(place: Place, move: Move): Place {
  return { ...place, moving: move }
}

/** The place after the transition under way has come to its end. */
export function arrived(place: Place): Place {
  return place.moving ? { ...place, stage: place.moving.to, moving: null } : place
}

/** The place after everything was taken back. */
export function ended(place: Place): Place {
  return { ...place, aborted: true, aborting: false, moving: null }
}

/** A sentence for people why a command was refused. */
export const refusals: Record<Refusal, string> = {
  bottom: 'there is no stage below `off`',
  complete: 'the migration is complete; going back is a new plan the other way',
  completing: 'the way back is being removed already; it will be complete',
  'cut-over': 'the target has the authority; `retreat` to `shadow` first',
  aborted: 'the migration was aborted',
  aborting: 'the migration is being aborted',
  'wrong-way': 'that stage lies the other way',
}

/** Whether the command only takes back the wish behind a transition that leads the other way. */
function withdraws(place: Place, command: Command): boolean {
  if (!place.moving) return false
  return upwards(place.moving) ? command === 'retreat' : command === 'advance'
}

function upwards(move: Move): boolean {
  return rung(move.to) > rung(move.from)
}

function accept(place: Place): Answer {
  return { allowed: true, place }
}

function refuse(refusal: Refusal): Answer {
  return { allowed: false, refusal }
}
