// docs/reference/plan.schema.json, for editors of YAML and JSON plans, from the schema that plans are checked against.
import { PlanSchema } from '@crossfade/plan/schema.ts'
import type { GeneratedFile } from './generators.ts'

/** The schema of a plan document, for editors and for plans in YAML or JSON. */
export function planSchema(): GeneratedFile {
  const document = { $schema: 'https://json-schema.org/draft/2020-12/schema', ...PlanSchema }
  return { path: 'docs/reference/plan.schema.json', content: `${JSON.stringify(document, null, 2)}\n` }
}
