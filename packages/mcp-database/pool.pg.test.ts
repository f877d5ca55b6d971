import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type FaultProxy, startFaultProxy } from '@crossfade/embedded/fault-proxy.ts'
import { freshDatabase, sharedTestCluster, type TestDatabase } from '@crossfade/embedded/testing.ts'
import { openPool, withPool } from './pool.ts'

let database: TestDatabase
let proxy: FaultProxy
let url: string
before(async () => {
  database = await freshDatabase(await sharedTestCluster(18), 'pool')
  const target = new URL(database.url)
  proxy = await startFaultProxy({ target: { host: target.hostname, port: Number(target.port) } })
  target.host = `${proxy.host}:${proxy.port}`
  url = target.href
})
after(async () => {
  await proxy.close()
  await database.drop()
})

test('a pool whose connections were swallowed by the network is whole again when the network is', async () => {
  const pool = openPool(url, { applicationName: 'test', connectionsMax: 1, statementMsMax: 100 })
  await pool.query('SELECT 1')
  proxy.blackhole()
  await assert.rejects(pool.query('SELECT 2'), /timeout/)
  proxy.restore()
  assert.equal((await pool.query('SELECT 3 AS n')).rows[0].n, 3)
  await pool.end()
})

test('a statement that takes too long is ended by the server, one that is allowed to is not; the pool lives on', async () => {
  const short = { applicationName: 'test', connectionsMax: 1, statementMsMax: 100 }
  await withPool(url, short, async (pool) => {
    await assert.rejects(pool.query('SELECT pg_sleep(2)'), { code: '57014' })
    assert.equal((await pool.query('SELECT 1 AS n')).rows[0].n, 1)
  })
  await withPool(url, { ...short, statementMsMax: 10_000 }, (pool) => pool.query('SELECT pg_sleep(0.2)'))
})

test('64-bit numbers arrive as numbers, and a pool of one piece of work is ended when that fails', async () => {
  let kept: { ended: boolean } | undefined
  const work = withPool(url, { applicationName: 'test', connectionsMax: 1 }, async (pool) => {
    kept = pool
    assert.deepEqual((await pool.query('SELECT 9007199254740991::bigint AS n')).rows, [{ n: 2 ** 53 - 1 }])
    throw new Error('broken off')
  })
  await assert.rejects(work, /broken off/)
  assert.equal(kept!.ended, true)
})
