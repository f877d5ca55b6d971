import assert from 'node:assert/strict'
import { test } from 'node:test'
import { oneAtATime } from './one-at-a-time.ts'

test('who asks while it runs shares the next run with all who ask meanwhile, and none overlap', async () => {
  let runs = 0
  let running = 0
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const ask = oneAtATime(async () => {
    const run = runs
    runs += 1
    running += 1
    assert.equal(running, 1)
    await gates[run]?.promise
    running -= 1
    return run
  })
  const first = ask()
  await Promise.resolve()
  const later = [ask(), ask(), ask()]
  gates[0]!.resolve()
  assert.equal(await first, 0)
  const last = ask()
  gates[1]!.resolve()
  assert.deepEqual(await Promise.all(later), [1, 1, 1])
  assert.ok((await last) <= 2)
  assert.equal(await ask(), runs - 1)
})

test('a run that failed is its askers’ alone', async () => {
  let runs = 0
  const ask = oneAtATime(async () => {
    runs += 1
    if (runs === 1) throw new Error('the first')
    return runs
  })
  await assert.rejects(ask(), /the first/)
  assert.equal(await ask(), 2)
})
