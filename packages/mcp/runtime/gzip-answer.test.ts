import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { seededRandom } from '@crossfade/model/seeded-random.ts'
import { testSeed } from '@crossfade/model/testing/test-seed.ts'
import { compileGzip, gzipWith } from './gzip-answer.ts'

const seed = testSeed()

test('SI-02 an answer compressed beforehand is what it would be otherwise, whatever its end', () => {
  const random = seededRandom(seed)
  for (let count = 0; count < 200; count++) {
    const text = words(random, Math.floor(random() * 3_000))
    const compiled = compileGzip(text)
    for (const end of ['1}', '', '"an id"}', words(random, 200)]) {
      assert.equal(gunzipSync(Buffer.from(gzipWith(compiled, end), 'latin1')).toString(), text + end)
    }
  }
})

function words(random: () => number, count: number): string {
  return Array.from(
    { length: count },
    () => ['{"name":', 'tool', ' ', '"', '\\u00fc', '}'][Math.floor(random() * 6)],
  ).join('')
}
