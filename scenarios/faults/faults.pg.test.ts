// Two lives of a migration under traffic and faults; `npm run faults` does as many as asked for.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Stage } from '@crossfade/model/stage.ts'
import { isLongRun } from '@crossfade/model/testing/long-run.ts'
import { type FaultKind, faultKinds } from './kinds.ts'
import { runWithFaults } from './one-run.ts'
import { summarise, takeoverMsMax } from './summary.ts'

const seed = Number(process.env['CROSSFADE_SEED'] ?? 1)
/** The second life goes up once, as every rung waits for servers that come and go; a long run takes it back too. */
const lives: readonly {
  readonly what: string
  readonly kinds: readonly FaultKind[]
  readonly way?: readonly Stage[]
}[] = [
  { what: 'workers and sessions are killed', kinds: ['kill-worker', 'kill-leader', 'terminate-backends', 'reset'] },
  {
    what: 'servers and connections fail',
    kinds: faultKinds.filter((kind) => !kind.startsWith('kill-w') && kind !== 'kill-leader'),
    ...(isLongRun ? {} : { way: ['dualwrite', 'live', 'rampdown'] }),
  },
]

describe('a migration under faults', () => {
  for (const { what, kinds, ...way } of lives) {
    it(`D02 D06 D07 D09 D10 D15 D17 DM-16: ${what}: nothing lost, duplicated, diverged, stuck or left over (CROSSFADE_SEED=${seed})`, async () => {
      const told: string[] = []
      const result = await runWithFaults({
        seed,
        kinds,
        rows: 2_000,
        writesPerSecond: 60,
        end: 'complete',
        ...way,
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
