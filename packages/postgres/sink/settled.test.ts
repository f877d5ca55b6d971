import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settled } from './settled.ts'

test('values come in order, and a rejection only once the rest has ended too', async () => {
  assert.deepEqual(await settled([Promise.resolve(1), Promise.resolve(2)]), [1, 2])
  let ended = false
  const slow = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
    ended = true
  })
  await assert.rejects(settled([Promise.reject(new Error('refused')), slow]), /refused/)
  assert.equal(ended, true)
})
