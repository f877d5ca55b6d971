import assert from 'node:assert/strict'
import { after, afterEach, test } from 'node:test'
import { freshDatabase, sharedTestCluster, type TestDatabase } from '@crossfade/embedded/testing.ts'
import { systemClock } from '@crossfade/model/clock.ts'
import pg from 'pg'
import { openControlStore } from './control-database.ts'
import type { ControlStore } from './store.ts'
import { testStore } from './store-contract.ts'

const databases: TestDatabase[] = []
const stores: ControlStore[] = []

async function open(url?: string): Promise<ControlStore> {
  let at = url
  if (at === undefined) {
    const database = await freshDatabase(await sharedTestCluster(), 'control')
    databases.push(database)
    at = database.url
  }
  const store = await openControlStore(at)
  stores.push(store)
  return store
}

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close()
})
after(async () => {
  for (const database of databases) await database.drop()
})

testStore('on PostgreSQL', async () => ({
  store: await open(),
  pass: (milliseconds) => systemClock.sleep(milliseconds),
}))

test('many processes that start at once bring the schema up to date together', async () => {
  const database = await freshDatabase(await sharedTestCluster(), 'control')
  databases.push(database)
  const opened = await Promise.all(Array.from({ length: 4 }, () => open(database.url)))
  for (const store of opened) assert.deepEqual(await store.migrations.list(), [])
})

test('a control database that is not there is a coded failure', async () => {
  await assert.rejects(openControlStore('postgres://nobody@127.0.0.1:1/none'), { code: 'CF6003' })
})

test('the bell is heard again after its connection was cut, and queries go on', async () => {
  const store = await open()
  const database = databases.at(-1)!
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  await client.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'crossfade %' AND datname = current_database()`,
  )
  const listening = `SELECT 1 FROM pg_stat_activity WHERE application_name = 'crossfade bell' AND datname = current_database() AND query LIKE 'LISTEN%'`
  while ((await client.query(listening)).rows.length === 0) await systemClock.sleep(20)
  const migration = 'mig_heard' as never
  const heard = store.bell.wait(migration, 'work', 30_000, new AbortController().signal)
  const until = new Promise<void>((resolve) => {
    const again = setInterval(() => void client.query(`SELECT pg_notify('crossfade_work', 'mig_heard')`), 50)
    void heard.then(() => {
      clearInterval(again)
      resolve()
    })
  })
  await until
  assert.deepEqual(await store.migrations.list(), [])
  await client.end()
})

test('the journal refuses to be changed', async () => {
  await open()
  const client = new pg.Client({ connectionString: databases.at(-1)!.url })
  await client.connect()
  await client.query(
    `SELECT crossfade_control.create_migration('mig_a', 'a', '{"digest": "d"}', '{"kind": "created", "actor": "t", "summary": "s", "body": {}}', '{"epoch": 1}')`,
  )
  await assert.rejects(
    client.query('UPDATE crossfade_control.journal SET actor = $1', ['somebody else']),
    /append-only/,
  )
  await assert.rejects(client.query('DELETE FROM crossfade_control.journal'), /append-only/)
  await client.end()
})
