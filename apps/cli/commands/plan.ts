import type { ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import { describePlan, planReport } from '@crossfade/plan/describe.ts'
import { describeChanges, diffPlans } from '@crossfade/plan/diff.ts'
import { asFinding } from '@crossfade/plan/doctor/finding.ts'
import { exitCodes } from '../terminal/exit-codes.ts'
import { findingsText } from '../terminal/findings.ts'
import { printJson, printText } from '../terminal/output.ts'
import type { Register } from './command.ts'
import { type ControlOptions, withControl, withCrossfade } from './context.ts'

export const registerPlan: Register = (program, end) => {
  withControl(
    program
      .command('plan')
      .summary('show what would be done, how long it takes, and under which locks')
      .description(
        'Resolves a plan against its databases and shows it: tables, rows, bytes, chunks, order, locks, disk, WAL and time. Changes nothing.',
      )
      .argument('<plan>', 'the plan file: .ts, .js, .yaml or .json')
      .option('--diff', 'show what changed since the plan was last applied'),
    'crossfade plan move.plan.ts --diff',
  ).action(async (file: string, options: ControlOptions & { diff?: boolean }) => {
    const { surveyPlan } = await import('../wiring/planning.ts')
    const { plan, forecast, problems, remarks } = await surveyPlan(file)
    if (!plan || !forecast) {
      const findings = problems.map((problem) => asFinding(problem, 'block'))
      if (options.json) printJson({ findings })
      else printText(findingsText(findings))
      return end(exitCodes.failure)
    }
    if (options.diff) return showDiff(plan, options)
    const findings = remarks.map((remark) => asFinding(remark, 'warn'))
    if (options.json) printJson({ ...planReport(plan, forecast), findings })
    else
      printText([describePlan(plan, forecast), ...(findings.length > 0 ? ['', findingsText(findings)] : [])].join('\n'))
  })
}

async function showDiff(plan: ResolvedPlan, options: ControlOptions): Promise<void> {
  const last = await withCrossfade(options, ({ service }) => service.lastPlan(plan.name))
  const changes = last ? diffPlans(last, plan) : null
  if (options.json) printJson({ applied: last?.digest ?? null, planned: plan.digest, changes })
  else printText(changes ? describeChanges(changes) : `${plan.name} was never applied; everything in it is new.`)
}
