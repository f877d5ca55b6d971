import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sharedTestCluster } from '@crossfade/embedded/testing.ts'
import type { SchemaWork } from '@crossfade/pipeline/data-plane.ts'
import { readInventory } from './inventory.ts'
import { type RoundTrip, roundTrip, testContext, textOf } from './testing/round-trip.ts'

const setup = `CREATE TABLE big (id int PRIMARY KEY, a text, b text); CREATE INDEX one ON big (a); CREATE INDEX two ON big (b, a);`

async function loaded(): Promise<{ trip: RoundTrip; units: readonly SchemaWork[] }> {
  const cluster = await sharedTestCluster(18)
  const trip = await roundTrip({ source: cluster, target: cluster, setup })
  await trip.create()
  await trip.target.query(
    `INSERT INTO big SELECT i, md5(i::text), md5((i + 7)::text) FROM generate_series(1, 200000) i`,
  )
  const units = await trip.infrastructure.schemaWork()
  await trip.infrastructure.runSchemaWork(units.find((unit) => unit.phase === 'primary')!, testContext())
  return { trip, units: units.filter((unit) => unit.phase === 'secondary') }
}

test('a worker that stops while it builds an index is followed by one that finishes it', async () => {
  const { trip, units } = await loaded()
  try {
    for (const unit of units) {
      const stop = new AbortController()
      const running = trip.infrastructure.runSchemaWork(unit, testContext({ signal: stop.signal }))
      const outcome = running.then(
        () => 'done',
        () => 'stopped',
      )
      await untilBuilding(trip)
      stop.abort(new Error('stopped'))
      assert.equal(await outcome, 'stopped')
      await trip.infrastructure.runSchemaWork(unit, testContext())
    }
    await trip.work()
    assert.deepEqual(textOf(await trip.compare()), [])
  } finally {
    await trip.end()
  }
})

test('two workers at the same unit: the second waits, and finds it done', async () => {
  const { trip, units } = await loaded()
  try {
    await Promise.all(
      [units[0]!, units[0]!, units[1]!].map((unit) => trip.infrastructure.runSchemaWork(unit, testContext())),
    )
    const { tables } = await readInventory(trip.target)
    assert.deepEqual(
      tables[0]!.indexes.map((index) => [index.name, index.valid]),
      [
        ['big_pkey', true],
        ['one', true],
        ['two', true],
      ],
    )
  } finally {
    await trip.end()
  }
})

/** Waits until the server is building an index; a build that is over before it is seen ends the wait as well. */
async function untilBuilding(trip: RoundTrip): Promise<void> {
  for (let looks = 0; looks < 500; looks++) {
    const { rows } = await trip.target.query(
      'SELECT 1 FROM pg_stat_progress_create_index WHERE datname = current_database()',
    )
    if (rows.length > 0) return
  }
  assert.fail('no index build was seen')
}
