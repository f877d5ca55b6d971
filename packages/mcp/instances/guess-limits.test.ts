import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { InstanceId } from '@crossfade/model/platform-ids.ts'
import { createGuessLimits, windowMs, wrongMax, wrongPerInstanceMax } from './guess-limits.ts'

const instance = (n: number) => `fig_user_00000000_${n.toString(16).padStart(6, '0')}` as InstanceId

test('SI-06: so many wrong tokens for an instance, and then none is looked up until its window is over; others are', () => {
  const limits = createGuessLimits()
  for (let n = 0; n < wrongPerInstanceMax; n += 1) {
    assert.equal(limits.mayLookUp(instance(1), n), true)
    limits.wrong(instance(1), n)
  }
  assert.equal(limits.mayLookUp(instance(1), windowMs - 1), false)
  assert.equal(limits.mayLookUp(instance(2), windowMs - 1), true)
  assert.equal(limits.mayLookUp(instance(1), windowMs), true)
  limits.wrong(instance(1), windowMs)
  assert.equal(limits.mayLookUp(instance(1), windowMs), true, 'a new window counts anew')
})

test('SI-06: who guesses at many instances is stopped too, for the rest of a window', () => {
  const limits = createGuessLimits()
  for (let n = 0; n < wrongMax; n += 1) limits.wrong(instance(n), 0)
  assert.equal(limits.mayLookUp(instance(wrongMax), windowMs - 1), false)
  assert.equal(limits.mayLookUp(instance(wrongMax), windowMs), true)
})
