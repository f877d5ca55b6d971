import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startCluster } from '@crossfade/embedded/cluster.ts'
import pg from 'pg'
import { leftoversIn } from './leftovers.ts'

test('D06: what is left behind is found, and the temporary table of a server that was killed is not ours to take away', async () => {
  // Autovacuum would take such a table away, sooner or later.
  const cluster = await startCluster({ version: 18, settings: { autovacuum: 'off' } })
  try {
    const url = await cluster.createDatabase('left')
    const session = new pg.Client({ connectionString: url })
    session.on('error', () => undefined)
    await session.connect()
    await session.query('CREATE TEMPORARY TABLE crossfade_stage_3 (id int)')
    // The clusters of tests don't wait for the disk: without this the kill could take the table's own rows of the catalog along.
    await session.query('CHECKPOINT')
    await cluster.kill()
    await cluster.start()
    assert.deepEqual(await relations(url), ['crossfade_stage_3'], 'the catalog still has it')
    assert.deepEqual(await leftoversIn(url), [])
    const later = new pg.Client({ connectionString: url })
    await later.connect()
    await later.query('CREATE TABLE crossfade_stage_4 (id int)')
    await later.end()
    assert.deepEqual(await leftoversIn(url), ['table crossfade_stage_4'])
  } finally {
    await cluster.destroy()
  }
})

async function relations(url: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query<{ relname: string }>(
      `SELECT relname FROM pg_class WHERE relname LIKE 'crossfade%'`,
    )
    return rows.map(({ relname }) => relname)
  } finally {
    await client.end()
  }
}
