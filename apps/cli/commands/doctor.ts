import { milliseconds } from '@crossfade/plan/quantity.ts'
import { exitCodes } from '../terminal/exit-codes.ts'
import { findingsText } from '../terminal/findings.ts'
import { printJson, printText } from '../terminal/output.ts'
import { type CommonOptions, common, type Register } from './command.ts'
import { quantityOption } from './options.ts'

export const registerDoctor: Register = (program, end) => {
  common(
    program
      .command('doctor')
      .summary('find what would go wrong, each with its remedy')
      .description(
        'Examines every database of a plan and says what would go wrong, each with its remedy. Changes nothing. Exits with 1 when something blocks.',
      )
      .argument('<plan>', 'the plan file: .ts, .js, .yaml or .json')
      .option(
        '--sample <duration>',
        'how long the write rate of the sources is watched',
        quantityOption(milliseconds),
        2000,
      ),
    'crossfade doctor move.plan.ts',
  ).action(async (file: string, options: CommonOptions & { sample: number }) => {
    const { loadPlan } = await import('@crossfade/plan/load.ts')
    const { examineLoaded } = await import('../wiring/planning.ts')
    const { findings } = await examineLoaded(await loadPlan(file), options.sample)
    const blocked = findings.some((finding) => finding.severity === 'block')
    if (options.json) printJson({ ready: !blocked, findings })
    else printText(findingsText(findings))
    end(blocked ? exitCodes.failure : exitCodes.fine)
  })
}
