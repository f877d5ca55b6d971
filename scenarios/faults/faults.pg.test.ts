// Two lives of a migration under traffic and faults; `npm run faults` does as many as asked for.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type FaultKind, faultKinds } from './kinds.ts'
import { runWithFaults } from './one-run.ts'
import { summarise, takeoverMsMax } from './summary.ts'

const seed = Number(process.env['CROSSFADE_SEED'] ?? 1)
const lives: Readonly<Record<string, readonly FaultKind[]>> = {
  'workers and sessions are killed': ['kill-worker', 'kill-leader', 'terminate-backends', 'reset'],
  'servers and connections fail': faultKinds.filter((kind) => !kind.startsWith('kill-w') && kind !== 'kill-leader'),
}

describe('a migration under faults', () => {
  for (const [what, kinds] of Object.entries(lives)) {
    it(`D02 D06 D07 D09 D10 D15 D17 DM-16: ${what}: nothing lost, duplicated, diverged, stuck or left over (CROSSFADE_SEED=${seed})`, async () => {
      const told: string[] = []
      const result = await runWithFaults({
        seed,
        kinds,
        rows: 2_000,
        writesPerSecond: 60,
        end: 'complete',
        say: (text) => told.push(text),
      })
      const { runs, lost, duplicated, diverged, stuck, leftovers, crashed, takeoverMs } = summarise([result])
      assert.deepEqual(
        { runs, lost, duplicated, diverged, stuck, leftovers, crashed },
        { runs: 1, lost: 0, duplicated: 0, diverged: 0, stuck: 0, leftovers: 0, crashed: 0 },
        `${JSON.stringify(result, null, 2)}\n${told.join('\n')}`,
      )
      assert.ok(result.acknowledged > 100, `only ${result.acknowledged} writes`)
      assert.ok((takeoverMs.max ?? 0) <= takeoverMsMax, `a lease was taken over after ${takeoverMs.max} ms`)
    })
  }
})
