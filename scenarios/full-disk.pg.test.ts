// The target's disk fills up, in the copy and while changes are followed: the migration stops and says so, and goes on when there is room again.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { leftoversIn } from '@crossfade/simulator/leftovers.ts'
import { clear, stop } from './harness/bad-input.ts'
import { Ladder, quickPlan } from './harness/ladder.ts'
import { eventually, run, startPlace } from './harness/move.ts'
import { sidesDiffer } from './harness/sides.ts'
import { smallDisk } from './harness/small-disk.ts'

const MiB = 1024 * 1024
const papers = (from: number, to: number) =>
  `INSERT INTO papers SELECT n, (SELECT string_agg(md5(n::text || i), '') FROM generate_series(1, 40) i) FROM generate_series(${from}, ${to}) n`

it('D07: a disk of the target that is full stops the migration with a clear failure; with room again it goes on, and nothing is lost', async (t) => {
  const place = await startPlace()
  const disk = await smallDisk(place.target, 160 * MiB)
  if (!disk) {
    await place.destroy()
    return t.skip('this process may not mount a disk of its own')
  }
  const source = await place.source.createDatabase('source')
  const control = await place.control.createDatabase('control')
  await run(place.target.superuserUrl(), `CREATE DATABASE target TABLESPACE ${disk.tablespace}`)
  const target = place.target.superuserUrl('target')
  let ladder: Ladder | null = null
  try {
    await run(source, `CREATE TABLE papers (id int PRIMARY KEY, body text); ${papers(1, 20_000)}`)
    ladder = await Ladder.set(control, quickPlan(source, target, { copy: { chunkBytesMax: '2 MiB' } }))
    const { service } = ladder.crossfade

    disk.fill(8 * MiB)
    const inCopy = await stop(ladder, 'CF6011')
    clear(inCopy, undefined)
    assert.match(inCopy.message, /No space left on device/)
    // The live system goes on meanwhile.
    await run(
      source,
      `${papers(20_001, 21_000)}; DELETE FROM papers WHERE id % 100 = 3; UPDATE papers SET body = 'short' WHERE id % 100 = 4`,
    )
    disk.free()
    await service.resume(ladder.id, { actor: 'scenario' })
    await ladder.until(({ stage, transition }) => stage === 'dualwrite' && transition === null, 'dualwrite')
    assert.equal(await ladder.verify(), 0)
    assert.deepEqual(await sidesDiffer([source], [target]), [])

    disk.fill(1 * MiB)
    await run(source, papers(30_001, 40_000))
    const following = await eventually('the stop', async () => {
      const { status, failure } = await service.get(ladder!.id)
      return status === 'stopped' ? failure : null
    })
    clear(following, undefined)
    assert.equal(following.code, 'CF3206')
    assert.match(following.message, /No space left on device/)
    await run(source, `${papers(40_001, 40_100)}; DELETE FROM papers WHERE id % 100 = 5`)
    disk.free()
    await service.resume(ladder.id, { actor: 'scenario' })
    await eventually('equal sides', async () => (await sidesDiffer([source], [target])).length === 0)
    assert.equal(await ladder.verify(), 0)
    await ladder.goTo('live')
    await run(target, `UPDATE papers SET body = 'from the target' WHERE id % 100 = 6`)
    await ladder.goTo('shadow')
    assert.deepEqual(await sidesDiffer([source], [target]), [])
    await ladder.abort()
    for (const url of [source, target]) assert.deepEqual(await leftoversIn(url), [])
  } finally {
    await ladder?.close()
    await place.target.stop('immediate')
    disk.unmount()
    await place.destroy()
  }
})
