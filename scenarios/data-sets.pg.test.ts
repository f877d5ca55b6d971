// Real data sets, where they lie beside the project: moved live from PostgreSQL 16 to 18 under writes, verified, back, forward, to the end.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type Cluster, startCluster } from '@crossfade/embedded/cluster.ts'
import { freshDatabase } from '@crossfade/embedded/testing.ts'
import { seededRandom } from '@crossfade/model/seeded-random.ts'
import { testSeed } from '@crossfade/model/testing/test-seed.ts'
import { leftoversIn } from '@crossfade/simulator/leftovers.ts'
import pg from 'pg'
import { loadChinook, loadPagila, missing } from './harness/data-sets.ts'
import { Ladder, quickPlan } from './harness/ladder.ts'
import { RandomWrites, type Write } from './harness/random-writes.ts'
import { sidesDiffer } from './harness/sides.ts'

const seed = testSeed()
/** Two sides that still differ so long after the last write have diverged. */
const equalMsMax = 30_000

interface DataSet {
  readonly files: readonly string[]
  readonly load: (url: string) => Promise<void>
  readonly writes: readonly Write[]
  /** Rows of each table at least, so that an empty load would be seen. */
  readonly rows: Readonly<Record<string, number>>
  /** Raised by one with each write of the first kind: an acknowledged write that was lost or applied twice shows in it. */
  readonly counter: string
}

const below = (random: () => number, limit: number) => 1 + Math.floor(random() * limit)

const dataSets: Readonly<Record<string, DataSet>> = {
  pagila: {
    files: ['pagila-schema.sql', 'pagila-data.sql'],
    load: loadPagila,
    rows: { film: 1000, rental: 16_000, payment: 16_000, customer: 599 },
    counter: 'SELECT sum(rental_duration)::int AS count FROM film',
    writes: [
      (random) => ({
        sql: 'UPDATE film SET rental_duration = rental_duration + 1 WHERE film_id = $1',
        values: [below(random, 1000)],
      }),
      (random) => ({
        sql: 'INSERT INTO rental (rental_date, inventory_id, customer_id, staff_id) VALUES (clock_timestamp(), $1, $2, 1)',
        values: [below(random, 4581), below(random, 599)],
      }),
      (random) => ({
        sql: 'UPDATE rental SET return_date = clock_timestamp() WHERE rental_id = $1',
        values: [below(random, 16_000)],
      }),
      // A rule sends it to the table of its month, which has no primary key.
      (random) => ({
        sql: `INSERT INTO payment (customer_id, staff_id, rental_id, amount, payment_date) VALUES ($1, 1, $2, $3, timestamp '2007-02-10' + $4 * interval '1 hour')`,
        values: [below(random, 599), below(random, 16_000), below(random, 900) / 100, below(random, 400)],
      }),
      (random) => ({
        sql: 'UPDATE payment SET amount = amount + 0.01 WHERE payment_id = $1',
        values: [16_050 + below(random, 16_000)],
      }),
      (random) => ({
        sql: 'UPDATE film SET description = description || $2 WHERE film_id = $1',
        values: [below(random, 1000), ' again'],
      }),
      (random) => ({
        sql: 'DELETE FROM film_actor WHERE film_id = $1 AND actor_id = $2',
        values: [below(random, 1000), below(random, 200)],
      }),
      (random) => ({
        sql: `UPDATE customer SET email = 'new.' || email WHERE customer_id = $1 AND length(email) < 45`,
        values: [below(random, 599)],
      }),
    ],
  },
  chinook: {
    files: ['chinook.sql'],
    load: loadChinook,
    rows: { track: 3503, invoice_line: 2240, playlist_track: 8715 },
    counter: 'SELECT sum(milliseconds)::float8 AS count FROM track',
    writes: [
      (random) => ({
        sql: 'UPDATE track SET milliseconds = milliseconds + 1 WHERE track_id = $1',
        values: [below(random, 3503)],
      }),
      (random) => ({
        sql: 'DELETE FROM playlist_track WHERE track_id = $1',
        values: [below(random, 3503)],
      }),
      (random) => ({
        sql: 'INSERT INTO playlist_track (playlist_id, track_id) VALUES ($1, $2) ON CONFLICT DO NOTHING',
        values: [below(random, 18), below(random, 3503)],
      }),
      (random) => ({
        sql: 'UPDATE invoice_line SET quantity = quantity + 1, unit_price = unit_price + 0.01 WHERE invoice_line_id = $1',
        values: [below(random, 2240)],
      }),
      (random) => ({
        sql: 'UPDATE customer SET support_rep_id = $2, company = $3 WHERE customer_id = $1',
        values: [below(random, 59), 2 + below(random, 3), random() < 0.5 ? null : ''],
      }),
    ],
  },
}

describe(`real data sets from 16 to 18 and back under writes (CROSSFADE_SEED=${seed})`, () => {
  let clusters: readonly Cluster[]
  before(async () => {
    clusters = await Promise.all([
      startCluster({ version: 16 }),
      startCluster({ version: 18 }),
      startCluster({ version: 18 }),
    ])
  })
  after(() => Promise.all(clusters.map((cluster) => cluster.destroy())))

  for (const [name, set] of Object.entries(dataSets)) {
    it(`DM-16: ${name} moves live, back, forward and to the end, with every acknowledged write`, {
      skip: missing(...set.files),
    }, async () => {
      const [source, target, control] = await Promise.all(
        (['source', 'target', 'control'] as const).map((role, index) => freshDatabase(clusters[index]!, role)),
      )
      await set.load(source!.url)
      for (const [table, rows] of Object.entries(set.rows))
        assert.ok((await one(source!.url, `SELECT count(*)::int AS count FROM ${table}`)) >= rows, table)
      const before = await one(source!.url, set.counter)
      const ladder = await Ladder.set(control!.url, quickPlan(source!.url, target!.url))
      let raised = 0
      let writes: RandomWrites | null = null
      try {
        const migration = await ladder.crossfade.service.get(ladder.id)
        const [first, ...others] = set.writes
        writes = await RandomWrites.start({
          controlUrl: control!.url,
          migration,
          urls: {
            [migration.plan.source.shards[0]!.id]: source!.url,
            [migration.plan.target.shards[0]!.id]: target!.url,
          },
          writes: [counted(first!, () => (raised += 1)), ...others],
          random: seededRandom(seed),
          everyMs: 20,
          writers: 3,
        })
        await ladder.goTo('dualwrite')
        assert.equal(await ladder.verify(), 0)
        await ladder.goTo('live')
        await ladder.goTo('shadow')
        await writes.rest()
        await equal(source!.url, target!.url)
        writes.go()
        await ladder.goTo('rampdown')
        await writes.rest()
        await equal(source!.url, target!.url)
        await ladder.goTo('complete')
        assert.deepEqual(writes.errors, [])
        assert.ok(writes.acknowledged > 100, `only ${writes.acknowledged} writes`)
        assert.equal(await one(target!.url, set.counter), before + raised, 'acknowledged writes lost or applied twice')
        for (const { url } of [source!, target!]) assert.deepEqual(await leftoversIn(url), [])
      } finally {
        await writes?.end()
        await ladder.close()
        await Promise.all([source!.drop(), target!.drop(), control!.drop()])
      }
    })
  }
})

/** Nothing fails in these runs, so every statement that is made is acknowledged once. */
function counted(write: Write, count: () => void): Write {
  return (random) => {
    count()
    return write(random)
  }
}

async function equal(a: string, b: string): Promise<void> {
  const deadline = Date.now() + equalMsMax
  for (;;) {
    const found = await sidesDiffer([a], [b])
    if (found.length === 0) return
    if (Date.now() > deadline) assert.deepEqual(found, [])
    await new Promise((resolve) => setTimeout(resolve, 300))
  }
}

async function one(url: string, sql: string): Promise<number> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<{ count: number }>(sql)).rows[0]!.count
  } finally {
    await client.end()
  }
}
