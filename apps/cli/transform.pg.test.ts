import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import pg from 'pg'
import { databaseWith } from './testing/databases.ts'
import { openCrossfade } from './wiring/open.ts'
import { resolvePlanFile } from './wiring/planning.ts'

const asker = { actor: 'test' }

test('DM-05: rows go through a transform that splits, renames and masks columns: copied, followed, verified, cut over, and back', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'crossfade-transform-'))
  const source = await databaseWith(`
    CREATE TABLE users (id int PRIMARY KEY, name text, status text NOT NULL, metadata jsonb);
    INSERT INTO users SELECT n, 'first' || n || ' last' || n, CASE WHEN n % 2 = 0 THEN 'A' ELSE 'D' END, '{"src": "web"}' FROM generate_series(1, 500) n;
    INSERT INTO users VALUES (501, NULL, 'A', NULL), (502, 'single', 'A', '{"src": null, "n": 1.50}')`)
  const target = await databaseWith(
    'CREATE TABLE people (id int PRIMARY KEY, first text, last text, state text NOT NULL, metadata jsonb)',
  )
  const control = await databaseWith('')
  process.env['TRANSFORM_TEST_SOURCE'] = source.url
  process.env['TRANSFORM_TEST_TARGET'] = target.url
  writeFileSync(
    join(folder, 'move.plan.ts'),
    `import { definePlan, env } from '@crossfade/plan/define.ts'
     import { mapValues, renameColumns } from '@crossfade/plan/transform/columns.ts'
     import { message } from '@crossfade/plan/transform/message.ts'
     import { splitColumn } from '@crossfade/plan/transform/split-merge.ts'
     export default definePlan({
       name: 'move', source: env('TRANSFORM_TEST_SOURCE'), target: env('TRANSFORM_TEST_TARGET'), schema: { mode: 'existing' },
       tables: {
         rename: { users: 'people' },
         transform: { users: [
           splitColumn({ column: 'name', into: ['first', 'last'], separator: ' ' }),
           mapValues({ column: 'status', values: { A: 'active', D: 'deleted' } }),
           renameColumns({ columns: { status: 'state' } }),
           message({ content: 'keep', metadataKeys: { src: 'source' } }),
         ] },
       },
     })`,
  )
  const crossfade = await openCrossfade({ control: control.url })
  const clients = { source: new pg.Client(source.url), target: new pg.Client(target.url) }
  t.after(async () => {
    await crossfade.close()
    for (const client of Object.values(clients)) await client.end()
    for (const database of [source, target, control]) await database.drop()
    rmSync(folder, { recursive: true, force: true })
  })
  for (const client of Object.values(clients)) await client.connect()
  const { service } = crossfade
  const plan = await resolvePlanFile(join(folder, 'move.plan.ts'))
  assert.deepEqual(
    plan.tables[0]!.columns.map(({ source: column, only }) => [column, only ?? 'both']),
    [
      ['id', 'both'],
      ['name', 'source'],
      ['status', 'source'],
      ['metadata', 'both'],
      ['first', 'target'],
      ['last', 'target'],
      ['state', 'target'],
    ],
  )
  await crossfade.work()
  const id = await service.apply(plan, asker, { to: 'shadow' })
  const at = async (stage: string) => {
    for (;;) {
      const now = await service.get(id)
      assert.ok(now.status !== 'stopped', `${now.failure?.code} ${now.failure?.message}`)
      if (now.stage === stage && now.transition === null) return now
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  await at('shadow')
  const person = async (key: number) =>
    (await clients.target.query('SELECT * FROM people WHERE id = $1', [key])).rows[0]
  assert.deepEqual(await person(7), {
    id: 7,
    first: 'first7',
    last: 'last7',
    state: 'deleted',
    metadata: { source: 'web' },
  })
  assert.deepEqual(await person(501), { id: 501, first: null, last: null, state: 'active', metadata: null })
  assert.equal((await service.get(id)).openMismatches, 0)

  await clients.source.query("UPDATE users SET name = 'changed while followed' WHERE id = 7")
  await service.advance(id, asker, { to: 'live' })
  await at('live')
  assert.deepEqual(await person(7), {
    id: 7,
    first: 'changed',
    last: 'while followed',
    state: 'deleted',
    metadata: { source: 'web' },
  })
  await clients.target.query(
    "UPDATE people SET first = 'new', state = 'active' WHERE id = 7; DELETE FROM people WHERE id = 8; INSERT INTO people VALUES (600, 'six', 'hundred', 'deleted', '{\"source\": 1}')",
  )
  const report = await service.verify(id, asker)
  let verified = await service.report(id, report)
  while (verified.finishedAt === null) {
    await new Promise((resolve) => setTimeout(resolve, 100))
    verified = await service.report(id, report)
  }
  assert.equal(verified.mismatches, 0)
  await service.retreat(id, asker, { to: 'shadow' })
  await at('shadow')
  const { rows } = await clients.source.query('SELECT * FROM users WHERE id IN (7, 8, 600) ORDER BY id')
  assert.deepEqual(rows, [
    { id: 7, name: 'new while followed', status: 'A', metadata: { src: 'web' } },
    { id: 600, name: 'six hundred', status: 'D', metadata: { src: 1 } },
  ])
  await service.abort(id, asker)
  while ((await service.get(id)).status !== 'aborted') await new Promise((resolve) => setTimeout(resolve, 100))
})
