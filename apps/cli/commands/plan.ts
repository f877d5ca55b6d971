import { describePlan, planReport } from '@crossfade/plan/describe.ts'
import { asFinding } from '@crossfade/plan/doctor.ts'
import { loadPlan } from '@crossfade/plan/load.ts'
import { resolve } from '@crossfade/plan/resolve.ts'
import { withSurvey } from '@crossfade/plan/survey.ts'
import { postgresCatalogs } from '@crossfade/postgres/source/catalog.ts'
import { exitCodes } from '../terminal/exit-codes.ts'
import { findingsText } from '../terminal/findings.ts'
import { printJson, printText } from '../terminal/output.ts'
import { type CommonOptions, common, type Register } from './command.ts'

export const registerPlan: Register = (program, end) => {
  common(
    program
      .command('plan')
      .summary('show what would be done, how long it takes, and under which locks')
      .description(
        'Resolves a plan against its databases and shows it: tables, rows, bytes, chunks, order, locks, disk, WAL and time. Changes nothing.',
      )
      .argument('<plan>', 'the plan file: .ts, .js, .yaml or .json')
      .option('--diff', 'show what changed since the plan was last applied'),
    'crossfade plan move.plan.ts --diff',
  ).action(async (file: string, options: CommonOptions & { diff?: boolean }) => {
    const loaded = await loadPlan(file)
    const { plan, forecast, problems, remarks } = await withSurvey(loaded, postgresCatalogs, async (survey) =>
      resolve(loaded, survey),
    )
    if (!plan || !forecast) {
      const findings = problems.map((problem) => asFinding(problem, 'block'))
      if (options.json) printJson({ findings })
      else printText(findingsText(findings))
      return end(exitCodes.found)
    }
    if (options.json)
      printJson({ ...planReport(plan, forecast), remarks: remarks.map((remark) => asFinding(remark, 'warn')) })
    else printText(describePlan(plan, forecast))
  })
}
