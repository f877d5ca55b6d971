import { examine } from '@crossfade/plan/doctor.ts'
import { loadPlan } from '@crossfade/plan/load.ts'
import { milliseconds } from '@crossfade/plan/quantity.ts'
import { postgresCatalogs } from '@crossfade/postgres/source/catalog.ts'
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
    const { findings } = await examine(await loadPlan(file), postgresCatalogs, { sampleMs: options.sample })
    const blocked = findings.some((finding) => finding.severity === 'block')
    if (options.json) printJson({ ready: !blocked, findings })
    else printText(findingsText(findings))
    end(blocked ? exitCodes.failure : exitCodes.fine)
  })
}
