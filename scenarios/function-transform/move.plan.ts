import { definePlan, env, hash } from '@crossfade/plan/define.ts'
import { reversible } from '@crossfade/plan/transform/transformer.ts'

/** Accounts leave as units what they hold as cents, and those that are closed stay behind; a note gets a mark and loses it on the way back. */
export default definePlan({
  name: 'function-transform',
  source: env('SCENARIO_SOURCE'),
  target: { shards: { a: env('SCENARIO_TARGET_A'), b: env('SCENARIO_TARGET_B') }, topology: hash({ buckets: 64 }) },
  tables: {
    shardKeys: { accounts: 'tenant', notes: 'tenant' },
    transform: {
      accounts: reversible(
        (row) => (row['state'] === 'closed' ? null : { ...row, amount: shifted(row['amount'] ?? null, -2) }),
        (row) => ({ ...row, amount: shifted(row['amount'] ?? null, 2) }),
      ),
      notes: reversible(
        ({ body = null, ...row }) => ({ ...row, body: body === null ? null : `» ${body}` }),
        ({ body = null, ...row }) => ({ ...row, body: body === null ? null : body.replace(/^» /, '') }),
      ),
    },
  },
  gates: { live: [{ kind: 'verified' }, { kind: 'lag', limit: 1_000 }], complete: [] },
  throttle: { latencyBudget: null },
})

/** Moves the decimal point of a number with four decimals by two digits. */
function shifted(text: string | null, digits: 2 | -2): string | null {
  if (text === null) return null
  const tenThousandths = BigInt(text.replace('.', ''))
  const moved = digits === 2 ? tenThousandths * 100n : tenThousandths / 100n
  const sign = moved < 0n ? '-' : ''
  const all = String(moved < 0n ? -moved : moved).padStart(5, '0')
  return `${sign}${all.slice(0, -4)}.${all.slice(-4)}`
}
