import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '@crossfade/model/seeded-random.ts'
import { testSeed } from '@crossfade/model/testing/test-seed.ts'
import { patternCost } from './pattern-cost.ts'

test('what is cheap is known to be cheap, what can explode is known to', () => {
  const cheap = [
    '^[a-z]+$',
    '^\\d{4}-\\d{2}-\\d{2}$',
    '^(asc|desc)$',
    '^[a-z][a-z0-9-]{0,61}[a-z0-9]$',
    '^\\p{L}\\u{1F600}[\\]\\\\^]$',
    '',
  ]
  for (const pattern of cheap) assert.ok(patternCost(pattern)!(60) < 500_000, pattern)
  const costly = [
    '^(a+)+$',
    '^(a|a)*$',
    '^(a?){50}b$',
    '(x+x+)+y',
    '^(([a-z])+.)+[A-Z]([a-z])+$',
    '.*.*.*=.*',
    '^(?:a*){20}$',
  ]
  for (const pattern of costly) assert.ok(patternCost(pattern)!(60) > 500_000, pattern)
  const unknown = [
    '(?=a)',
    '(?<!a)b',
    '(a)\\1',
    '(?<n>a)\\k<n>',
    '^a{1,5000}$',
    '/^a$/i',
    '[[:digit:]]',
    '(?i:a)',
    `${'('.repeat(99)}${')'.repeat(99)}`,
  ]
  for (const pattern of unknown) assert.equal(patternCost(pattern), null, pattern)
})

/** Steps of a backtracking matcher of the plainest kind, on an expression that is a list of choices with counts. */
type Part = { readonly oneOf: string; readonly min: number; readonly max: number }

function steps(parts: readonly Part[], text: string): number {
  let taken = 0
  const from = (part: number, at: number, count: number): boolean => {
    taken++
    const { oneOf, min, max } = parts[part] ?? { oneOf: '', min: 0, max: 0 }
    if (part === parts.length) return at === text.length
    if (count < max && oneOf.includes(text[at] ?? '\0') && from(part, at + 1, count + 1)) return true
    return count >= min && from(part + 1, at, 0)
  }
  from(0, 0, 0)
  return taken
}

test('the bound holds for random expressions: a backtracking matcher never takes more steps', (context) => {
  const seed = testSeed()
  context.diagnostic(`CROSSFADE_SEED=${seed}`)
  const random = seededRandom(seed)
  const below = (count: number) => Math.floor(random() * count)
  for (let round = 0; round < 300; round++) {
    const parts = Array.from({ length: 1 + below(4) }, (): Part => {
      const min = below(3)
      return {
        oneOf: ['a', 'ab', 'abc'][below(3)]!,
        min,
        max: below(2) === 0 ? min + below(4) : Number.POSITIVE_INFINITY,
      }
    })
    const written = parts.map(({ oneOf, min, max }) => `[${oneOf}]{${min},${Number.isFinite(max) ? max : ''}}`).join('')
    const text = Array.from({ length: below(25) }, () => 'abc!'[below(random() < 0.9 ? 2 : 4)]!).join('')
    const bound = patternCost(`^${written}$`)!(text.length)
    const told = `seed ${seed} round ${round} ^${written}$ ${text}`
    assert.ok(steps(parts, text) <= bound, `${told}: ${steps(parts, text)} steps, bound ${bound}`)
  }
})
