// What a plan may ask for, end to end: other versions, roles, shards, filters, transforms, and what is found before anything is changed.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hash, via } from '@crossfade/plan/define.ts'
import { leftoversIn } from '@crossfade/simulator/leftovers.ts'
import { eventually, type Place, run, startPlace, withMove } from './harness/move.ts'
import { sidesDiffer } from './harness/sides.ts'

async function onServers(
  versions: Parameters<typeof startPlace>[0],
  work: (place: Place) => Promise<void>,
): Promise<void> {
  const place = await startPlace(versions)
  try {
    await work(place)
  } finally {
    await place.destroy()
  }
}

const items = `CREATE TABLE items (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, price numeric(10, 2), note text);
  INSERT INTO items (name, price, note) SELECT 'item ' || n, n / 10.0, nullif(repeat('x', n % 7), '') FROM generate_series(1, 1000) n`

describe('plans, end to end', () => {
  it('DM-03: from PostgreSQL 14 to 17 and back', () =>
    onServers({ source: 14, target: 17 }, (place) =>
      withMove(place, { sources: [items] }, async ({ ladder, sources, targets }) => {
        await ladder.goTo('dualwrite')
        await run(
          sources[0]!,
          `UPDATE items SET price = price + 1 WHERE id % 3 = 0; DELETE FROM items WHERE id % 50 = 0`,
        )
        await ladder.goTo('live')
        await run(
          targets[0]!,
          `INSERT INTO items (name) SELECT 'new ' || n FROM generate_series(1, 50) n; UPDATE items SET note = '' WHERE id % 5 = 0`,
        )
        await ladder.goTo('shadow')
        assert.deepEqual(await sidesDiffer([sources[0]!], [targets[0]!]), [])
        await ladder.goTo('complete')
        for (const url of [sources[0]!, targets[0]!]) assert.deepEqual(await leftoversIn(url), [])
      }),
    ))

  it('DM-17: roles with REPLICATION and ownership of their tables alone move everything there and back', () =>
    onServers({}, async (place) => {
      for (const cluster of [place.source, place.target]) await cluster.createRole('mover', { replication: true })
      const asMover = (url: string) => url.replace('postgres://postgres@', 'postgres://mover@')
      await withMove(
        place,
        {
          sources: [
            `${items}; CREATE TABLE parts (id int PRIMARY KEY, item bigint REFERENCES items, n int); INSERT INTO parts SELECT n, n, n FROM generate_series(1, 500) n`,
          ],
          plan: (sources, targets) => ({
            source: asMover(sources[0]!),
            target: asMover(targets[0]!),
            archive: 'leave',
          }),
          prepare: async (sources, targets) => {
            await run(sources[0]!, `ALTER TABLE items OWNER TO mover; ALTER TABLE parts OWNER TO mover`)
            for (const url of [sources[0]!, targets[0]!])
              await run(
                url,
                `DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO mover', current_database()); END $$; GRANT CREATE, USAGE ON SCHEMA public TO mover`,
              )
          },
        },
        async ({ ladder, sources, targets }) => {
          await ladder.goTo('dualwrite')
          await run(
            sources[0]!,
            `INSERT INTO items (name) SELECT 'late ' || n FROM generate_series(1, 20) n; INSERT INTO parts SELECT 500 + n, 1000 + n, 0 FROM generate_series(1, 20) n; DELETE FROM parts WHERE id <= 10; DELETE FROM items WHERE id <= 10`,
          )
          await ladder.goTo('live')
          await run(targets[0]!, `UPDATE items SET note = 'from the target' WHERE id % 9 = 0`)
          await ladder.goTo('shadow')
          assert.deepEqual(await sidesDiffer([sources[0]!], [targets[0]!]), [])
          await ladder.goTo('complete')
          for (const url of [sources[0]!, targets[0]!]) assert.deepEqual(await leftoversIn(url), [])
        },
      )
    }))

  it('DM-01: two shards to three while rows and their parents move from shard to shard', () =>
    onServers({}, async (place) => {
      const ids = (from: number) => `generate_series(${from}, ${from + 59}) n`
      const shard = (from: number) => `CREATE TABLE tenants (id int PRIMARY KEY, name text);
        CREATE TABLE channels (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants ON UPDATE CASCADE, name text, body text);
        CREATE TABLE settings (channel_id int NOT NULL REFERENCES channels ON DELETE CASCADE, key text, value text, PRIMARY KEY (channel_id, key));
        CREATE TABLE kinds (id int PRIMARY KEY, name text);
        INSERT INTO kinds VALUES (1, 'one'), (2, 'two');
        INSERT INTO tenants SELECT n, 'tenant ' || n FROM ${ids(from)};
        INSERT INTO channels SELECT n * 10 + c, n, 'channel', (SELECT string_agg(md5(n::text || c || i), '') FROM generate_series(1, 100) i) FROM ${ids(from)}, generate_series(0, 3) c;
        INSERT INTO settings SELECT id, 'k' || k, 'v' FROM channels, generate_series(1, 2) k`
      await withMove(
        place,
        {
          sources: [shard(1), shard(61)],
          targets: 3,
          plan: (sources, targets) => ({
            source: {
              shards: { a: sources[0]!, b: sources[1]! },
              topology: { ranges: [{ shard: 'a', below: '61' }, { shard: 'b' }] },
            },
            target: { shards: { x: targets[0]!, y: targets[1]!, z: targets[2]! }, topology: hash({ buckets: 128 }) },
            tables: {
              shardKey: 'tenant_id',
              shardKeys: { tenants: 'id', settings: via('channel_id', 'channels') },
              reference: ['kinds'],
            },
          }),
        },
        async ({ ladder, sources, targets }) => {
          await ladder.goTo('dualwrite')
          for (const url of sources)
            await run(
              url,
              // A channel goes to another tenant, which may live on another target; its settings go with it, its long body does not change.
              `UPDATE channels SET tenant_id = tenant_id + 1 WHERE id % 40 = 11;
               UPDATE settings SET value = 'w' WHERE channel_id % 3 = 0; DELETE FROM channels WHERE id % 90 = 2;
               INSERT INTO channels SELECT 100000 + id, id, 'late', 'late' FROM tenants WHERE id % 4 = 0; INSERT INTO settings SELECT 100000 + id, 'late', 'late' FROM tenants WHERE id % 4 = 0;
               UPDATE channels SET id = id + 200000 WHERE id BETWEEN 100000 AND 100050 AND NOT EXISTS (SELECT FROM settings WHERE channel_id = channels.id)`,
            )
          await run(sources[0]!, `UPDATE kinds SET name = 'changed' WHERE id = 2`)
          await run(sources[1]!, `UPDATE kinds SET name = 'changed' WHERE id = 2`)
          await ladder.goTo('live')
          for (const url of targets)
            await run(
              url,
              `UPDATE settings SET value = 'from the target' WHERE channel_id % 5 = 0; DELETE FROM settings WHERE channel_id % 77 = 0`,
            )
          await ladder.goTo('shadow')
          await eventually(
            'equal sides',
            async () => (await sidesDiffer(sources, targets, { reference: new Set(['public.kinds']) })).length === 0,
          )
          await ladder.goTo('complete')
          for (const url of [...sources, ...targets]) assert.deepEqual(await leftoversIn(url), [])
        },
      )
    }))

  it('DM-05 D01: a filter and new names are kept to on the way there and back, and a row that is changed behind our back is found and mended', () =>
    onServers({}, (place) =>
      withMove(
        place,
        {
          sources: [
            `${items}; ALTER TABLE items ADD COLUMN hidden boolean NOT NULL DEFAULT false; UPDATE items SET hidden = true WHERE id % 10 = 0`,
          ],
          plan: () => ({
            tables: {
              rename: { items: 'articles' },
              columns: { items: { rename: { note: 'remark' } } },
              where: { items: 'NOT hidden' },
            },
          }),
        },
        async ({ ladder, sources, targets }) => {
          await ladder.goTo('dualwrite')
          assert.deepEqual(await run(targets[0]!, `SELECT count(*) AS n FROM articles`), [{ n: '900' }])
          await run(
            sources[0]!,
            `UPDATE items SET hidden = true WHERE id IN (1, 2); UPDATE items SET hidden = false WHERE id = 10; UPDATE items SET note = 'new' WHERE id = 3`,
          )
          await eventually(
            'the changes',
            async () => (await run(targets[0]!, `SELECT 1 FROM articles WHERE id = 3 AND remark = 'new'`)).length,
          )
          await run(
            targets[0]!,
            `UPDATE articles SET remark = 'flipped' WHERE id = 77; DELETE FROM articles WHERE id = 78`,
          )
          assert.equal(await ladder.verify(), 2)
          await ladder.verify({ repair: true })
          assert.equal(await ladder.verify(), 0)
          assert.deepEqual(await run(targets[0]!, `SELECT id FROM articles WHERE id IN (1, 2, 10, 78) ORDER BY id`), [
            { id: '10' },
            { id: '78' },
          ])
          await ladder.goTo('live')
          await run(targets[0]!, `UPDATE articles SET remark = 'back' WHERE id = 5`)
          await ladder.goTo('shadow')
          assert.deepEqual(await run(sources[0]!, `SELECT note FROM items WHERE id = 5`), [{ note: 'back' }])
          assert.deepEqual(await run(sources[0]!, `SELECT count(*) AS n FROM items WHERE hidden`), [{ n: '101' }])
          await ladder.abort()
        },
      ),
    ))

  it('a table that changes on the source stops the stream with a finding; nothing is applied wrongly', () =>
    onServers({}, (place) =>
      withMove(place, { sources: [items] }, async ({ ladder, sources, targets }) => {
        await ladder.goTo('dualwrite')
        await run(sources[0]!, `ALTER TABLE items ADD COLUMN colour text; UPDATE items SET colour = 'red' WHERE id = 1`)
        const { service } = ladder.crossfade
        const stopped = await eventually('the stop', async () => {
          const migration = await service.get(ladder.id)
          return migration.status === 'stopped' ? migration : null
        })
        assert.equal(stopped.failure?.retry, false)
        assert.match(`${stopped.failure?.message}`, /items/)
        assert.deepEqual(await run(targets[0]!, `SELECT count(*) AS n FROM items`), [{ n: '1000' }])
        await ladder.abort()
        for (const url of [sources[0]!, targets[0]!]) assert.deepEqual(await leftoversIn(url), [])
      }),
    ))

  it('DM-03: with ddl: apply a new column on the source goes to the target, and values with it', () =>
    onServers({}, (place) =>
      withMove(
        place,
        { sources: [items], plan: () => ({ schema: { ddl: 'apply' } }) },
        async ({ ladder, sources, targets }) => {
          await ladder.goTo('dualwrite')
          await run(
            sources[0]!,
            `ALTER TABLE items ADD COLUMN colour text; UPDATE items SET colour = 'red' WHERE id <= 5`,
          )
          await eventually(
            'the new column on the target',
            async () =>
              (await run(targets[0]!, `SELECT 1 FROM items i WHERE to_jsonb(i)->>'colour' = 'red'`)).length === 5,
          )
          assert.deepEqual(await sidesDiffer([sources[0]!], [targets[0]!]), [])
          await ladder.abort()
        },
      ),
    ))
})
