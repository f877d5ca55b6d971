import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freshDatabase, sharedTestCluster } from '@crossfade/embedded/testing.ts'
import { asEpoch, asMigrationId, asShardId } from '@crossfade/model/ids.ts'
import pg from 'pg'
import { checkEpoch } from '../snapshot/epoch-check.ts'
import { createControlSchema, raiseEpochFloor, removeControlSchema } from './control-schema.ts'

const migration = asMigrationId('mig_floor')
const shard = asShardId('target/0')

test('epochs below the floor are refused, by replicas of the schema too, and the floor is never lowered', async (t) => {
  const database = await freshDatabase(await sharedTestCluster())
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  t.after(async () => {
    await client.end()
    await database.drop()
  })
  await createControlSchema(client, shard)
  await checkEpoch(client, migration, 'copy:1', asEpoch(7))
  await removeControlSchema(client, migration)

  await createControlSchema(client, shard)
  await raiseEpochFloor(client, migration, { lease: asEpoch(10), routing: asEpoch(3) })
  await raiseEpochFloor(client, migration, { lease: asEpoch(5), routing: asEpoch(2) })
  await assert.rejects(checkEpoch(client, migration, 'copy:1', asEpoch(7)), { code: 'CF6006' })
  await client.query('SET session_replication_role = replica')
  await assert.rejects(checkEpoch(client, migration, 'copy:1', asEpoch(9)), { code: 'CF6006' })
  await checkEpoch(client, migration, 'copy:1', asEpoch(11))
  await assert.rejects(checkEpoch(client, migration, 'cutover', asEpoch(2)), { code: 'CF6006' })
  await checkEpoch(client, migration, 'cutover', asEpoch(3))
  await checkEpoch(client, asMigrationId('mig_other'), 'copy:1', asEpoch(1))
})
