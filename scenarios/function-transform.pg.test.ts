// A plan with functions of its own, through the whole ladder and back.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { it } from 'node:test'
import { loadPlan } from '@crossfade/plan/load.ts'
import { resolvePlan } from '@crossfade/plan/resolve.ts'
import { withSurvey } from '@crossfade/plan/survey.ts'
import { postgresCatalogs } from '@crossfade/postgres/source/catalog.ts'
import { leftoversIn } from '@crossfade/simulator/leftovers.ts'
import { Ladder } from './harness/ladder.ts'
import { run, startPlace } from './harness/move.ts'

const tables = `CREATE TABLE accounts (id int PRIMARY KEY, tenant int NOT NULL, state text NOT NULL, amount numeric(14, 4));
  CREATE TABLE notes (tenant int, id int, body text, PRIMARY KEY (tenant, id));
  INSERT INTO accounts SELECT n, n % 9, (ARRAY['open', 'closed', 'frozen'])[n % 3 + 1], CASE WHEN n % 10 = 0 THEN NULL ELSE (n - 300) * 100 END FROM generate_series(1, 600) n;
  INSERT INTO notes SELECT n % 9, n, CASE WHEN n % 7 = 0 THEN NULL ELSE repeat(md5(n::text), n % 5 * 100) END FROM generate_series(1, 400) n`

it('DM-05: functions of a plan change rows and leave some out: copied, followed, verified, cut over, back, and forward to the end', async () => {
  const place = await startPlace()
  const source = await place.source.createDatabase('source')
  const targets = [await place.target.createDatabase('a'), await place.target.createDatabase('b')]
  const control = await place.control.createDatabase('control')
  Object.assign(process.env, { SCENARIO_SOURCE: source, SCENARIO_TARGET_A: targets[0], SCENARIO_TARGET_B: targets[1] })
  let ladder: Ladder | null = null
  try {
    await run(source, tables)
    const loaded = await loadPlan(join(import.meta.dirname, 'function-transform', 'move.plan.ts'))
    const plan = await withSurvey(loaded, postgresCatalogs, async (survey) => resolvePlan(loaded, survey))
    ladder = await Ladder.start(control, plan)
    const onTargets = async (sql: string) => (await Promise.all(targets.map((url) => run(url, sql)))).flat()
    const sorted = (rows: readonly object[]) => rows.map((row) => JSON.stringify(row)).sort()
    /** What the functions should have made of the source, told in SQL. */
    const agree = async () => {
      const accounts = `SELECT id, tenant, state, (amount / 100)::numeric(14, 4) AS amount FROM accounts WHERE state <> 'closed'`
      assert.deepEqual(sorted(await onTargets('SELECT * FROM accounts')), sorted(await run(source, accounts)))
      const notes = `SELECT tenant, id, '» ' || body AS body FROM notes`
      assert.deepEqual(sorted(await onTargets('SELECT * FROM notes')), sorted(await run(source, notes)))
    }

    await ladder.goTo('dualwrite')
    await run(
      source,
      `UPDATE accounts SET state = 'closed' WHERE id % 30 = 2; UPDATE accounts SET state = 'open' WHERE id % 30 = 4;
       UPDATE accounts SET amount = amount + 5, tenant = (tenant + 4) % 9 WHERE id % 11 = 0; UPDATE accounts SET id = id + 1000 WHERE id % 50 = 7;
       UPDATE notes SET id = id + 5000 WHERE id % 40 = 9; UPDATE notes SET body = NULL WHERE id % 13 = 0; DELETE FROM notes WHERE id % 17 = 0;
       INSERT INTO accounts VALUES (5000, 3, 'closed', 1), (5001, 3, 'open', -0.07), (5002, 4, 'open', NULL)`,
    )
    await ladder.goTo('shadow')
    await agree()
    // A row that nobody should have touched is found and mended through the functions too.
    await run(targets[1]!, `UPDATE accounts SET amount = 99 WHERE id = (SELECT min(id) FROM accounts)`)
    assert.equal(await ladder.verify(), 1)
    await ladder.verify({ repair: true })
    assert.equal(await ladder.verify(), 0)
    await ladder.goTo('live')
    await agree()
    await run(targets[0]!, `UPDATE notes SET body = body || '!' WHERE body LIKE '» %' AND id % 3 = 0`)
    await onTargets(`UPDATE accounts SET amount = 12.5 WHERE id % 9 = 5; DELETE FROM accounts WHERE id % 90 = 6`)
    await run(targets[1]!, `INSERT INTO notes SELECT tenant, 9000, '» from the target' FROM accounts LIMIT 1`)
    assert.equal(await ladder.verify(), 0)
    await ladder.goTo('shadow')
    await agree()
    const kept = await run(source, `SELECT count(*) AS n FROM accounts WHERE state = 'closed' AND amount IS NOT NULL`)
    assert.ok(Number(kept[0]!['n']) > 100, 'rows that were left out are still on the source')
    assert.deepEqual(await run(source, 'SELECT body FROM notes WHERE id = 9000'), [{ body: 'from the target' }])
    await ladder.goTo('complete')
    for (const url of [source, ...targets]) assert.deepEqual(await leftoversIn(url), [])
    await agree()
  } finally {
    await ladder?.close()
    await place.destroy()
  }
})
