// `npm run simulate -- --seeds 2000 [--first 1] [--json] [--sabotage NAME]`: many lives of a migration, each decided by its seed.
import { parseArgs } from 'node:util'
import { type Sabotage, sabotages } from './model-database.ts'
import { simulate } from './simulate.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '2000' },
    first: { type: 'string', default: '1' },
    sabotage: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const sabotage = (values.sabotage ?? null) as Sabotage | null
if (sabotage !== null && !sabotages.includes(sabotage)) throw new Error(`--sabotage is one of ${sabotages.join(', ')}`)

const first = Number(values.first)
const count = Number(values.seeds)
const stages: Record<string, number> = {}
const failed: { seed: number; violations: readonly string[] }[] = []
let acknowledged = 0
let crashes = 0
let cutovers = 0
let undone = 0
let events = 0
for (let seed = first; seed < first + count; seed += 1) {
  const result = await simulate({ seed, sabotage })
  stages[result.stage] = (stages[result.stage] ?? 0) + 1
  acknowledged += result.acknowledged
  crashes += result.crashes
  cutovers += result.cutovers
  undone += result.undone
  events += result.events
  if (result.violations.length > 0) {
    failed.push({ seed, violations: result.violations })
    if (!values.json) console.log(`seed ${seed}:\n  ${result.violations.join('\n  ')}`)
  }
}
const summary = {
  seeds: count,
  first,
  failed: failed.length,
  acknowledged,
  crashes,
  cutovers,
  undone,
  events,
  stages,
  failures: failed.slice(0, 20),
}
console.log(values.json ? JSON.stringify(summary) : summary)
process.exit(failed.length > 0 ? 1 : 0)
