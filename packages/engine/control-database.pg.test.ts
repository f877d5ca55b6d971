import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startFaultProxy } from '@crossfade/embedded/fault-proxy.ts'
import { freshDatabase, sharedTestCluster } from '@crossfade/embedded/testing.ts'
import { openControlStore } from './control-database.ts'

test('D07: a control database that goes away in the middle of a query is a coded failure, ends no process, and is used again when it is back', async () => {
  const cluster = await sharedTestCluster()
  const database = await freshDatabase(cluster, 'control')
  const proxy = await startFaultProxy({ target: { host: cluster.host, port: cluster.port } })
  const url = new URL(database.url)
  url.port = String(proxy.port)
  const store = await openControlStore(url.href)
  try {
    await store.migrations.list()
    proxy.delay(200)
    const asked = store.migrations.list()
    await new Promise((resolve) => setTimeout(resolve, 50))
    proxy.cutOnce()
    await assert.rejects(asked, { code: 'CF6003' })
    proxy.restore()
    assert.deepEqual(await store.migrations.list(), [])
  } finally {
    await store.close()
    await proxy.close()
    await database.drop()
  }
})
