// Interruptions and changes of mind, on real databases through the whole engine.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { leftoversIn } from '@crossfade/simulator/leftovers.ts'
import type { Ladder } from './harness/ladder.ts'
import { eventually, type Place, run, startPlace, withMove } from './harness/move.ts'
import { sidesDiffer } from './harness/sides.ts'

/** About 13 MB, so that the copy in chunks of 256 KiB takes long enough to be hit. */
const papers = `CREATE TABLE papers (id int PRIMARY KEY, body text NOT NULL);
  INSERT INTO papers SELECT n, repeat(md5(n::text), 20) FROM generate_series(1, 20000) n;
  CREATE INDEX papers_by_body ON papers (left(body, 16)); CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
  CREATE TRIGGER noted BEFORE INSERT ON papers FOR EACH ROW EXECUTE FUNCTION noted()`
const small = () => ({ copy: { chunkBytesMax: '256 KiB', jobsPerWorker: 1 } })

describe('interruptions', () => {
  let place: Place
  before(async () => {
    place = await startPlace()
  })
  after(() => place.destroy())

  it('D07: a restart of the target in the middle of the copy is ridden out; every table arrives', async () => {
    await withMove(place, { sources: [papers], plan: small }, async ({ ladder, sources, targets }) => {
      const arriving = ladder.goTo('dualwrite')
      await chunksDone(ladder, 3)
      await place.target.stop('immediate')
      await run(sources[0]!, `UPDATE papers SET body = 'while it was away' WHERE id % 100 = 0`)
      await place.target.start()
      await arriving
      assert.equal(await ladder.verify(), 0)
      assert.deepEqual(await sidesDiffer([sources[0]!], [targets[0]!]), [])
      await ladder.abort()
    })
  })

  it('D09 D02: a snapshot that is lost in the middle of the copy is replaced; chunks that are done are not copied again', async () => {
    await withMove(place, { sources: [papers], plan: small }, async ({ ladder, sources, targets }) => {
      const arriving = ladder.goTo('dualwrite')
      await chunksDone(ladder, 4)
      const { service } = ladder.crossfade
      const before = await doneChunks(ladder)
      // Every session of the product on the source dies, the holder of the snapshot among them.
      await run(
        sources[0]!,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'crossfade%'`,
      )
      await run(
        sources[0]!,
        `UPDATE papers SET body = 'between two snapshots' WHERE id % 100 = 1; DELETE FROM papers WHERE id % 100 = 2`,
      )
      await arriving
      const slots = await run(
        sources[0]!,
        `SELECT slot_name FROM pg_replication_slots WHERE database = current_database()`,
      )
      assert.equal(slots.length, 1)
      const after = new Map((await service.chunks(ladder.id)).map((chunk) => [chunk.id, chunk.attempts]))
      for (const [id, attempts] of before) assert.equal(after.get(id), attempts, `${id} was copied again`)
      assert.equal(await ladder.verify(), 0)
      await eventually('equal sides', async () => (await sidesDiffer([sources[0]!], [targets[0]!])).length === 0)
      await ladder.abort()
    })
  })

  for (const [when, up] of Object.entries({
    'in the middle of the copy': (ladder: Ladder) => {
      void ladder.crossfade.service.advance(ladder.id, { actor: 'scenario' }, { to: 'dualwrite' })
      return chunksDone(ladder, 2)
    },
    'at dualwrite': (ladder: Ladder) => ladder.goTo('dualwrite'),
    'at shadow': (ladder: Ladder) => ladder.goTo('shadow'),
    'after a way there and back': async (ladder: Ladder) => {
      await ladder.goTo('live')
      await ladder.goTo('shadow')
    },
    'after a pause': async (ladder: Ladder) => {
      await ladder.goTo('dualwrite')
      await ladder.crossfade.service.pause(ladder.id, { actor: 'scenario' })
      await ladder.crossfade.service.resume(ladder.id, { actor: 'scenario' })
    },
  })) {
    it(`D06: abort ${when} leaves no slot, publication, trigger, schema, table or function behind`, async () => {
      await withMove(place, { sources: [papers], plan: small }, async ({ ladder, sources, targets }) => {
        await run(targets[0]!, `CREATE TABLE not_ours (id int); INSERT INTO not_ours VALUES (1)`)
        const before = await run(sources[0]!, shapeSql)
        await up(ladder)
        await ladder.abort()
        for (const url of [sources[0]!, targets[0]!]) assert.deepEqual(await leftoversIn(url), [])
        assert.deepEqual(await run(sources[0]!, shapeSql), before, 'the source is as it was')
        assert.deepEqual(await run(targets[0]!, shapeSql), [
          { name: 'not_ours', kind: 'r', identity: 'd', triggers: 'f' },
        ])
        assert.deepEqual(await run(sources[0]!, 'SELECT count(*) AS n FROM papers'), [{ n: '20000' }])
      })
    })
  }
})

const shapeSql = `SELECT relname AS name, relkind AS kind, relreplident AS identity, relhastriggers AS triggers FROM pg_class WHERE relnamespace = 'public'::regnamespace
  UNION ALL SELECT proname, 'function', '', false FROM pg_proc WHERE pronamespace = 'public'::regnamespace
  UNION ALL SELECT typname, 'type', '', false FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype NOT IN ('b', 'c') ORDER BY 1`

async function chunksDone(ladder: Ladder, atLeast: number): Promise<void> {
  await eventually('some chunks', async () => (await doneChunks(ladder)).size >= atLeast)
}

async function doneChunks(ladder: Ladder): Promise<Map<string, number>> {
  const chunks = await ladder.crossfade.service.chunks(ladder.id)
  return new Map(chunks.filter(({ state }) => state === 'done').map(({ id, attempts }) => [id, attempts]))
}
