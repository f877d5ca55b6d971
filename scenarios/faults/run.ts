// `npm run faults -- --seeds N [--seed FIRST] [--kinds a,b] [--rows N] [--writes-per-second N] [--json]`: as many lives of a migration, under traffic, while faults strike it.
// The last line with --json: `runs, lost, duplicated, diverged, stuck, leftovers` and what else is known. Exits 1 when any of these but `runs` is not 0.
import process from 'node:process'
import { parseArgs } from 'node:util'
import { type FaultKind, faultKinds } from './kinds.ts'
import { type RunResult, runWithFaults } from './one-run.ts'
import { holds, summarise } from './summary.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '5' },
    seed: { type: 'string', default: '1' },
    kinds: { type: 'string', default: faultKinds.join(',') },
    rows: { type: 'string', default: '3000' },
    'writes-per-second': { type: 'string', default: '120' },
    json: { type: 'boolean', default: false },
  },
})
const kinds = values.kinds.split(',') as FaultKind[]
const wrong = kinds.filter((kind) => !faultKinds.includes(kind))
if (wrong.length > 0) throw new Error(`--kinds knows ${faultKinds.join(', ')}, not ${wrong.join(', ')}`)

const first = Number(values.seed)
const results: RunResult[] = []
for (let seed = first; seed < first + Number(values.seeds); seed += 1) {
  const started = performance.now()
  const result = await runWithFaults({
    seed,
    kinds,
    rows: Number(values.rows),
    writesPerSecond: Number(values['writes-per-second']),
    say: (text) =>
      process.stderr.write(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${text}\n`),
  })
  results.push(result)
  process.stderr.write(`${JSON.stringify({ ...result, struck: result.struck.length })}\n`)
}
const summary = summarise(results)
process.stdout.write(`${values.json ? JSON.stringify(summary) : JSON.stringify(summary, null, 2)}\n`)
process.exit(holds(summary) ? 0 : 1)
