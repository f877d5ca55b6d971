// Names that need quotes everywhere a plan names something: databases, roles, tables, shard keys, parents, columns, conditions.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Cluster } from '@crossfade/embedded/cluster.ts'
import { hash, via } from '@crossfade/plan/define.ts'
import { leftoversIn } from '@crossfade/simulator/leftovers.ts'
import pg from 'pg'
import { Ladder, quickPlan } from './harness/ladder.ts'
import { run, startPlace } from './harness/move.ts'

const role = `Mover's "Role" %I`
const quoted = pg.escapeIdentifier(role)
/** 63 bytes, the longest that there is. */
const longest = `${'ü'.repeat(30)} "x`
const long = pg.escapeIdentifier(longest)

const tables = `CREATE SCHEMA "Sales 100%" AUTHORIZATION ${quoted}; SET search_path = "Sales 100%";
  CREATE TABLE "Tenant's" ("Tenant ""Id""" int PRIMARY KEY, "full name" text);
  CREATE TABLE ${long} (${long} int PRIMARY KEY, "Tenant ""Id""" int NOT NULL REFERENCES "Tenant's", "select" text, "Hidden?" boolean NOT NULL DEFAULT false);
  CREATE TABLE "Order" ("a.b" int PRIMARY KEY, ${long} int NOT NULL REFERENCES ${long}, "From" text);
  INSERT INTO "Tenant's" SELECT n, 'it''s ' || n FROM generate_series(1, 40) n;
  INSERT INTO ${long} SELECT n, n % 40 + 1, 'text', n % 10 = 0 FROM generate_series(1, 200) n;
  INSERT INTO "Order" SELECT n, n, 'from' FROM generate_series(1, 200) n WHERE n % 10 <> 0;
  ALTER TABLE "Tenant's" OWNER TO ${quoted}; ALTER TABLE ${long} OWNER TO ${quoted}; ALTER TABLE "Order" OWNER TO ${quoted}`

it('DM-03: names with quotes, spaces, capitals and 63 bytes in a plan of shards go the whole ladder and back', async () => {
  const place = await startPlace()
  const made = async (cluster: Cluster, name: string) => {
    const url = await cluster.createDatabase(name, { owner: role })
    await run(url, `GRANT CREATE ON SCHEMA public TO ${quoted}`)
    return url
  }
  const asMover = (cluster: Cluster, database: string) => cluster.url({ database, user: role })
  let ladder: Ladder | null = null
  try {
    for (const cluster of [place.source, place.target]) await cluster.createRole(role, { replication: true })
    const names = [`My "Base" ü 100%`, `Target's "one"`, longest] as const
    const source = await made(place.source, names[0])
    const targets = [await made(place.target, names[1]), await made(place.target, names[2])]
    const control = await place.control.createDatabase('control')
    await run(source, tables)
    const table = (name: string) => `"Sales 100%".${pg.escapeIdentifier(name)}`
    const plan = {
      target: {
        shards: { One: asMover(place.target, names[1]), Zwei: asMover(place.target, names[2]) },
        topology: hash({ buckets: 16 }),
      },
      tables: {
        shardKeys: {
          [table(`Tenant's`)]: 'Tenant "Id"',
          [table(longest)]: 'Tenant "Id"',
          [table('Order')]: via(longest, table(longest)),
        },
        where: { [table(longest)]: 'NOT "Hidden?"' },
        rename: { [table('Order')]: `"Sales 100%"."Order's new ""Name"""` },
        columns: { [table('Order')]: { rename: { From: 'To "All"' } } },
      },
    }
    const from = asMover(place.source, names[0])
    ladder = await Ladder.set(control, quickPlan(from, '', plan))
    await ladder.goTo('dualwrite')
    await run(
      source,
      `SET search_path = "Sales 100%"; UPDATE ${long} SET "Hidden?" = true WHERE ${long} = 21 AND NOT EXISTS (SELECT FROM "Order" WHERE "Order".${long} = 21);
       UPDATE "Tenant's" SET "full name" = '"quoted"' WHERE "Tenant ""Id""" % 3 = 0; UPDATE ${long} SET "Tenant ""Id""" = 7 WHERE ${long} = 8;
       DELETE FROM "Order" WHERE "a.b" % 7 = 0; UPDATE "Order" SET "From" = 'it''s' WHERE "a.b" % 4 = 0`,
    )
    await ladder.goTo('live')
    for (const url of targets)
      await run(url, `UPDATE "Sales 100%"."Order's new ""Name""" SET "To ""All""" = 'back' WHERE "a.b" % 5 = 1`)
    await ladder.goTo('shadow')
    const back = await run(source, `SELECT count(*) AS n FROM "Sales 100%"."Order" WHERE "From" = 'back'`)
    assert.ok(Number(back[0]!['n']) > 10)
    await ladder.goTo('complete')
    for (const url of [source, ...targets]) assert.deepEqual(await leftoversIn(url), [])
    const rows = async (url: string, name: string) =>
      (await run(url, `SELECT t::text AS row FROM "Sales 100%".${pg.escapeIdentifier(name)} t`)).map(({ row }) => row!)
    const onTargets = async (name: string) => (await Promise.all(targets.map((url) => rows(url, name)))).flat().sort()
    assert.deepEqual(await onTargets(`Tenant's`), (await rows(source, `Tenant's`)).sort())
    assert.deepEqual(await onTargets(`Order's new "Name"`), (await rows(source, 'Order')).sort())
    assert.deepEqual(
      await onTargets(longest),
      (await rows(source, longest)).filter((row) => row.endsWith(',f)')).sort(),
    )
  } finally {
    await ladder?.close()
    await place.destroy()
  }
})
