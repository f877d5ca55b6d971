import type { Finding } from '@crossfade/model/finding.ts'
import type { ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'

/** What the API needs of the planner; the composition root gives it one that reads real databases. */
export interface Planning {
  /** Resolves a plan document (YAML or JSON text; TypeScript plans are loaded on the machine that runs them). Rejects with CF1xxx or CF2xxx. */
  resolve(document: string): Promise<ResolvedPlan>
  /** Findings about the databases of a plan document; changes nothing. */
  doctor(document: string): Promise<readonly Finding[]>
}
