import type { MigrationDetail, MigrationService } from '@crossfade/engine/contract.ts'
import { fail } from '@crossfade/model/failure.ts'
import type { MigrationId } from '@crossfade/model/ids.ts'
import { rung, type Stage, stages } from '@crossfade/model/stage.ts'
import type { Command } from 'commander'
import { confirm } from '../terminal/confirm.ts'
import { exitCodes } from '../terminal/exit-codes.ts'
import { printJson, printNote } from '../terminal/output.ts'
import { stageOption } from './apply.ts'
import type { Register } from './command.ts'
import { asker, chosenMigration, type MigrationOptions, withCrossfade, withMigration } from './context.ts'
import { follow, type Goal, restingAt, sayDetached } from './follow.ts'

interface SteerOptions extends MigrationOptions {
  readonly to?: Stage
  readonly detach?: boolean
  readonly yes?: boolean
}

/** What a command that steers a migration does, and when it is done. */
interface Steering {
  readonly name: string
  readonly summary: string
  readonly description: string
  readonly example: string
  /** The question a person is asked first; null when nothing is lost by it. */
  readonly question: ((detail: MigrationDetail, options: SteerOptions) => string | null) | null
  readonly takesStage: boolean
  /** Gives the order; the goal says when it is carried out, null when nothing needs waiting for. */
  readonly order: (service: MigrationService, detail: MigrationDetail, options: SteerOptions) => Promise<Goal | null>
}

const steerings: readonly Steering[] = [
  {
    name: 'pause',
    summary: 'hold the copy, the verification and the stages',
    description:
      'Stops copy, verification and moves between stages. The streams go on, so that nothing piles up on the source.',
    example: 'crossfade pause',
    question: null,
    takesStage: false,
    order: async (service, { id }) => {
      await service.pause(id, asker())
      return null
    },
  },
  {
    name: 'resume',
    summary: 'go on after a pause or a failure',
    description: 'Goes on after a pause, and after a failure that needed a person.',
    example: 'crossfade resume',
    question: null,
    takesStage: false,
    order: async (service, { id, desiredStage }) => {
      await service.resume(id, asker())
      return restingAt(desiredStage)
    },
  },
  {
    name: 'advance',
    summary: 'go one stage up',
    description:
      'Goes one stage up, or up to --to, each when its gates hold. Gates that wait for a person are approved by this.',
    example: 'crossfade advance --to live',
    question: (_, { to }) => (to === 'complete' ? 'After complete there is no way back. Go on?' : null),
    takesStage: true,
    order: async (service, detail, { to = above(detail.stage) }) => {
      await approveUpTo(service, detail, to)
      await service.advance(detail.id, asker(), { to })
      return restingAt(to)
    },
  },
  {
    name: 'retreat',
    summary: 'go one stage back, with nothing lost',
    description:
      'Goes one stage back, or down to --to. From live and rampdown the source becomes authoritative again, with every write since the cutover in it.',
    example: 'crossfade retreat',
    question: null,
    takesStage: true,
    order: async (service, detail, { to = below(detail.stage) }) => {
      await service.retreat(detail.id, asker(), { to })
      return restingAt(to)
    },
  },
  {
    name: 'abort',
    summary: 'take everything back and remove every trace',
    description:
      'Takes everything back and removes every slot, publication, trigger, schema and table of the migration, on every database. Only before the cutover.',
    example: 'crossfade abort --yes',
    question: ({ name }) => `Abort ${name} and remove everything it made?`,
    takesStage: false,
    order: async (service, { id }) => {
      await service.abort(id, asker())
      return ({ status }) => (status === 'aborted' ? 'reached' : status === 'stopped' ? 'failed' : undefined)
    },
  },
]

/** `pause`, `resume`, `advance`, `retreat` and `abort`. */
export const registerSteering: Register = (program, end) => {
  for (const steering of steerings) {
    const command = withMigration(
      program.command(steering.name).summary(steering.summary).description(steering.description),
      steering.example,
    )
    withOptions(command, steering).action((options: SteerOptions) => steer(steering, options, end))
  }
}

function withOptions(command: Command, steering: Steering): Command {
  if (steering.takesStage) command.option('--to <stage>', `the stage to go to: ${stages.join(', ')}`, stageOption)
  if (steering.question) command.option('-y, --yes', 'do not ask')
  if (steering.name !== 'pause') command.option('--detach', 'only give the order; workers elsewhere carry it out')
  return command
}

async function steer(steering: Steering, options: SteerOptions, end: (code: number) => void): Promise<void> {
  await withCrossfade(options, async (crossfade) => {
    const { service } = crossfade
    const id: MigrationId = await chosenMigration(service, options.migration)
    const before = await service.get(id)
    const question = steering.question?.(before, options) ?? null
    if (question !== null && !options.yes && !(await confirm(question, `crossfade ${steering.name}`))) {
      printNote('Nothing was changed.')
      return end(exitCodes.failure)
    }
    const goal = await steering.order(service, before, options)
    if (goal === null || options.detach) {
      const detail = await service.get(id)
      if (options.json) printJson(detail)
      else printNote(`${detail.name}: ${detail.stage}, ${detail.status}`)
      return
    }
    const { detail, end: how } = await follow(crossfade, id, goal, { quiet: options.json === true })
    if (options.json) printJson(detail)
    else if (how === 'interrupted') sayDetached(detail.name, 'crossfade resume')
    end(how === 'reached' ? exitCodes.fine : how === 'failed' ? exitCodes.failure : exitCodes.interrupted)
  })
}

/** A person who says `advance` approves what waits for a person, on the stages that are meant. */
async function approveUpTo(service: MigrationService, detail: MigrationDetail, to: Stage): Promise<void> {
  for (const gate of detail.plan.gates) {
    if (gate.kind !== 'manual' || rung(gate.stage) <= rung(detail.stage) || rung(gate.stage) > rung(to)) continue
    await service.approve(detail.id, gate.name, true, asker())
  }
}

function above(stage: Stage): Stage {
  const next = stages[rung(stage) + 1]
  if (!next) throw fail('CF7007', { option: '--to', reason: `there is nothing above ${stage}`, command: 'advance' })
  return next
}

function below(stage: Stage): Stage {
  const next = stages[rung(stage) - 1]
  if (!next) throw fail('CF7007', { option: '--to', reason: `there is nothing below ${stage}`, command: 'retreat' })
  return next
}
