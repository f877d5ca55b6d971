import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Cluster } from '@crossfade/embedded/cluster.ts'
import { freshDatabase, sharedTestCluster, type TestDatabase } from '@crossfade/embedded/testing.ts'
import { asShardId } from '@crossfade/model/ids.ts'
import pg from 'pg'
import { longTransactions } from './long-transactions.ts'

const shard = asShardId('source/a')
const tables = [{ table: { schema: 'public', name: 'rows' }, route: { kind: 'whole' } }] as const
const ageMsMax = 60

describe('D12: long transactions', () => {
  let cluster: Cluster
  let database: TestDatabase
  const clients: pg.Client[] = []
  const open = async (options: { user?: string; name?: string } = {}) => {
    const connectionString = options.user ? cluster.url({ database: database.name, user: options.user }) : database.url
    const client = new pg.Client({ connectionString, application_name: options.name ?? 'shop' })
    await client.connect()
    clients.push(client)
    return client
  }
  const age = () => new Promise((resolve) => setTimeout(resolve, ageMsMax + 20))

  before(async () => {
    cluster = await sharedTestCluster()
    database = await freshDatabase(cluster, 'long')
    const setup = await open()
    await setup.query(`CREATE TABLE rows (id int); CREATE ROLE long_looker LOGIN; GRANT ALL ON rows TO long_looker`)
  })

  after(async () => {
    for (const client of clients) await client.end()
    await database.drop()
    const admin = new pg.Client({ connectionString: cluster.superuserUrl() })
    await admin.connect()
    await admin.query('DROP ROLE long_looker')
    await admin.end()
  })

  test('an open transaction is named with its age, state and statement; young and our own ones are not', async () => {
    const looker = await open()
    const slow = await open()
    const ours = await open({ name: 'crossfade copy' })
    await slow.query('BEGIN')
    await slow.query('SELECT   1\n FROM rows')
    await ours.query('BEGIN; SELECT 1')
    assert.deepEqual(await longTransactions(looker, shard, tables, 10_000), [])
    await age()
    const lines = await longTransactions(looker, shard, tables, ageMsMax)
    assert.equal(lines.length, 1)
    assert.match(
      lines[0]!,
      /^source\/a: pid \d+ \(shop\) has had a transaction open for \d+ ms \(idle in transaction\): SELECT 1 FROM rows$/,
    )
    await slow.query('ROLLBACK')
    await ours.query('ROLLBACK')
    assert.deepEqual(await longTransactions(looker, shard, tables, ageMsMax), [])
  })

  test('a prepared transaction is named', async () => {
    const looker = await open()
    await looker.query(`BEGIN; INSERT INTO rows VALUES (1); PREPARE TRANSACTION 'forgotten'`)
    await age()
    const lines = await longTransactions(looker, shard, tables, ageMsMax)
    assert.match(lines.join(), /the prepared transaction 'forgotten' of postgres was prepared \d+ ms ago/)
    await looker.query(`ROLLBACK PREPARED 'forgotten'`)
  })

  test('a role that may not look at others sees who keeps a write lock', async () => {
    const looker = await open({ user: 'long_looker' })
    const slow = await open()
    await slow.query('BEGIN; INSERT INTO rows VALUES (1)')
    const lines = await longTransactions(looker, shard, tables, ageMsMax)
    assert.equal(lines.length, 1)
    assert.match(lines[0]!, /has held a lock on rows for more than 60 ms/)
    await slow.query('ROLLBACK')
    assert.deepEqual(await longTransactions(looker, shard, tables, ageMsMax), [])
  })
})
