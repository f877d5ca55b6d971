// What becomes of the source at `complete`, and how it comes back into use.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Ladder, quickPlan } from './harness/ladder.ts'
import { run, startPlace, withMove } from './harness/move.ts'

describe('the archived source', () => {
  it('DM-17: the owner of a database archives it without being superuser, and the plan of the way back opens it again', async () => {
    const place = await startPlace()
    try {
      for (const cluster of [place.source, place.target]) await cluster.createRole('owner', { replication: true })
      const asOwner = (url: string) => url.replace('postgres://postgres@', 'postgres://owner@')
      const plan = (source: string, target: string) => quickPlan(asOwner(source), asOwner(target))
      await withMove(
        place,
        {
          sources: ['CREATE TABLE items (id int PRIMARY KEY, name text); INSERT INTO items VALUES (1, $$one$$)'],
          plan: (sources, targets) => plan(sources[0]!, targets[0]!),
          prepare: async (sources, targets) => {
            await run(sources[0]!, 'ALTER TABLE items OWNER TO owner')
            for (const url of [sources[0]!, targets[0]!])
              await run(url, `ALTER DATABASE ${new URL(url).pathname.slice(1)} OWNER TO owner`)
          },
        },
        async ({ ladder, sources, targets }) => {
          await ladder.goTo('complete')
          await assert.rejects(run(sources[0]!, 'DELETE FROM items'), { code: '25006' })
          await run(targets[0]!, `INSERT INTO items VALUES (2, 'two')`)
          await run(sources[0]!, 'SET default_transaction_read_only = off; BEGIN READ WRITE; DROP TABLE items; COMMIT')
          const { service } = ladder.crossfade
          const control = await place.control.createDatabase('back')
          const back = await Ladder.set(control, plan(targets[0]!, sources[0]!))
          try {
            await back.goTo('complete')
          } finally {
            await back.close()
          }
          assert.equal((await service.get(ladder.id)).status, 'complete')
          await run(sources[0]!, `INSERT INTO items VALUES (3, 'three')`)
          assert.deepEqual(await run(sources[0]!, 'SELECT id FROM items ORDER BY id'), [
            { id: '1' },
            { id: '2' },
            { id: '3' },
          ])
        },
      )
    } finally {
      await place.destroy()
    }
  })
})
