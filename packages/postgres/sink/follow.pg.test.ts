import { test } from 'node:test'
import { sharedTestCluster } from '@crossfade/embedded/testing.ts'
import { startSinkBench, testTable } from './sink-testing.ts'

test('DM-02 inserts, updates and deletes arrive, in small and in large transactions', async () => {
  const bench = await startSinkBench({
    sourceCluster: await sharedTestCluster(),
    tables: [
      testTable('item', {
        id: 'bigint',
        name: 'text',
        amount: 'numeric',
        at: 'timestamp with time zone',
        tags: 'text[]',
      }),
    ],
    sourceSql:
      'CREATE TABLE item (id bigint PRIMARY KEY, name text, amount numeric, at timestamptz DEFAULT now(), tags text[])',
  })
  try {
    const [source] = bench.sources
    const stream = bench.follow('source/0')
    await source!.query(
      `INSERT INTO item (id, name, amount, tags) SELECT g, 'name ' || g, g / 7.0, ARRAY['a', NULL, g::text] FROM generate_series(1, 20) g`,
    )
    await bench.caughtUp('source/0', stream)
    await bench.assertEqual()
    await source!.query(`INSERT INTO item (id, name) SELECT g, NULL FROM generate_series(21, 3000) g`)
    await source!.query(`UPDATE item SET name = 'new' || E'\\t\\\\' || id WHERE id % 3 = 0`)
    await source!.query('DELETE FROM item WHERE id % 5 = 0')
    await source!.query('UPDATE item SET id = id + 100000 WHERE id % 7 = 0')
    await bench.caughtUp('source/0', stream)
    await bench.assertEqual()
  } finally {
    await bench.close()
  }
})
