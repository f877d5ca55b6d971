import { isStage, type Stage, stages } from '@crossfade/model/stage.ts'
import { InvalidArgumentError } from 'commander'
import { exitCodes } from '../terminal/exit-codes.ts'
import { findingsText } from '../terminal/findings.ts'
import { migrationText } from '../terminal/migration-text.ts'
import { printJson, printNote, printText } from '../terminal/output.ts'
import type { Register } from './command.ts'
import { asker, type ControlOptions, isOver, withControl, withCrossfade } from './context.ts'
import { follow, restingAt, sayDetached } from './follow.ts'

/** How long the sources' write rate is watched before a start. */
const watchMs = 1000

interface ApplyOptions extends ControlOptions {
  readonly until?: Stage
  readonly detach?: boolean
  readonly doctor: boolean
}

export const registerApply: Register = (program, end) => {
  withControl(
    program
      .command('apply')
      .summary('start a plan, or go on with it')
      .description(
        'Examines the databases, then carries the plan out stage by stage. Shows rate and time left. Ctrl-C detaches; the same command goes on where it was.',
      )
      .argument('<plan>', 'the plan file: .ts, .js, .yaml or .json')
      .option('--until <stage>', `the stage to stop at: ${stages.slice(1).join(', ')}`, stageOption)
      .option('--detach', 'only give the order; workers elsewhere carry it out')
      .option('--no-doctor', 'do not examine the databases first'),
    'crossfade apply move.plan.ts --until shadow',
  ).action(async (file: string, options: ApplyOptions) => {
    const { loadPlan } = await import('@crossfade/plan/load.ts')
    const { examineLoaded } = await import('../wiring/planning.ts')
    const loaded = await loadPlan(file)
    await withCrossfade(options, async (crossfade) => {
      const { service } = crossfade
      const started = (await service.list()).find((one) => one.name === loaded.document.name && !isOver(one))
      const { findings, resolution } = await examineLoaded(loaded, started ? 0 : watchMs)
      const blocking = findings.filter(({ severity }) => severity === 'block')
      // What a migration made itself would be in its own way; a plan that does not resolve is none.
      const isRefused = !resolution.plan || (!started && options.doctor && blocking.length > 0)
      if (isRefused) {
        if (options.json) printJson({ ready: false, findings })
        else printText(findingsText(resolution.plan ? findings : blocking))
        return end(exitCodes.failure)
      }
      const to = options.until ?? loaded.document.until ?? 'rampdown'
      const id = await service.apply(resolution.plan, asker(), { to })
      if (!options.json) printNote(started ? `Going on with ${id}.` : `Started ${id}.`)
      if (options.detach) {
        if (options.json) printJson(await service.get(id))
        return
      }
      const { detail, end: how } = await follow(crossfade, id, restingAt(to), { quiet: options.json === true })
      if (options.json) printJson(detail)
      else if (how === 'interrupted') sayDetached(detail.name, `crossfade apply ${file}`)
      else if (!process.stderr.isTTY) printText(migrationText(detail, 120))
      end(how === 'reached' ? exitCodes.fine : how === 'failed' ? exitCodes.failure : exitCodes.interrupted)
    })
  })
}

/** Reads a stage; anything else is wrong usage. */
export function stageOption(text: string): Stage {
  if (isStage(text)) return text
  throw new InvalidArgumentError(`Give one of ${stages.join(', ')}.`)
}
