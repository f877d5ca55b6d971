import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '@crossfade/model/seeded-random.ts'
import { testSeed } from '@crossfade/model/testing/test-seed.ts'
import { cutList } from './cut-list.ts'

test('whatever is cut is correct JSON within the limit, its items the first ones of the list', (context) => {
  const seed = testSeed()
  context.diagnostic(`CROSSFADE_SEED=${seed}`)
  const random = seededRandom(seed)
  const text = () => 'é"\\\n漢x'.repeat(Math.floor(random() * 6))
  const item = (): unknown => [text(), { a: text() }, [text(), null], random(), null][Math.floor(random() * 5)]
  let cuts = 0
  for (let round = 0; round < 2_000; round++) {
    const list = Array.from({ length: Math.floor(random() * 30) }, item)
    const isWrapped = random() < 0.5
    const value = isWrapped ? { ['__proto__x']: text(), 'the "items"': list, few: [1], next: text() } : list
    const charactersMax = Math.floor(random() * 400)
    const cut = cutList(value, charactersMax)
    if (cut === null) continue
    cuts++
    const told = `CROSSFADE_SEED=${seed} round ${round}`
    assert.ok(cut.text.length <= charactersMax, told)
    const parsed = JSON.parse(cut.text) as unknown
    const kept = isWrapped
      ? Object.values(parsed as object).find((member) => Array.isArray(member) && member.length === cut.kept)
      : parsed
    const whole = isWrapped && cut.where === ' of "few"' ? [1] : list
    assert.deepEqual(kept, JSON.parse(JSON.stringify(whole.slice(0, cut.kept))), told)
    assert.equal(cut.total, whole.length, told)
  }
  assert.ok(cuts > 200, `${cuts} cuts`)
})

test('what holds no list is not cut', () => {
  for (const value of ['text', 1, null, {}, { a: 'x'.repeat(50) }, [], ['x'.repeat(50)]])
    assert.equal(cutList(value, 20), null)
})
