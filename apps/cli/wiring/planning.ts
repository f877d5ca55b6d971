import { fail } from '@crossfade/model/failure.ts'
import type { Finding } from '@crossfade/model/finding.ts'
import type { ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import { type Examination, examine } from '@crossfade/plan/doctor.ts'
import { type LoadedPlan, loadPlan, readPlanText } from '@crossfade/plan/load.ts'
import { type Resolution, resolve, resolvePlan } from '@crossfade/plan/resolve.ts'
import { withSurvey } from '@crossfade/plan/survey.ts'
import { postgresCatalogs } from '@crossfade/postgres/source/catalog.ts'
import { withSchemaPreview } from './schema-preview.ts'

/** How long the sources' write rate is watched when nobody says otherwise. */
const sampleMs = 1000

/** The plan of a file, resolved against its databases. Rejects with the first problem. */
export async function resolvePlanFile(file: string): Promise<ResolvedPlan> {
  const loaded = await loadPlan(file)
  return withSurvey(loaded, postgresCatalogs, async (survey) => resolvePlan(loaded, survey))
}

/** Examines the databases of a plan; `watchMs` is how long the sources' write rate is watched. */
export async function examineLoaded(loaded: LoadedPlan, watchMs: number): Promise<Examination> {
  return withSchemaPreview(await examine(loaded, postgresCatalogs, { sampleMs: watchMs }))
}

/** Everything the planner found out about a plan file, problems included. */
export async function surveyPlan(file: string): Promise<Resolution> {
  const loaded = await loadPlan(file)
  return withSurvey(loaded, postgresCatalogs, async (survey) => resolve(loaded, survey))
}

/** What the REST API asks of the planner. Plans come as text here, and have no file that workers could load transforms from. */
export const textPlanning = {
  async resolve(document: string): Promise<ResolvedPlan> {
    const loaded = withoutTransforms(readPlanText(document, 'plan.yaml'))
    return withSurvey(loaded, postgresCatalogs, async (survey) => resolvePlan(loaded, survey))
  },
  async doctor(document: string): Promise<readonly Finding[]> {
    const { findings } = await examineLoaded(readPlanText(document, 'plan.yaml'), sampleMs)
    return findings
  },
}

function withoutTransforms(loaded: LoadedPlan): LoadedPlan {
  if (loaded.transforms.size === 0) return loaded
  const reason =
    'every worker loads them from the plan file; apply the file with `crossfade apply` on a machine that has it'
  throw fail('CF1002', { place: 'tables.transform', reason })
}
