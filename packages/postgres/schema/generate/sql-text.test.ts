import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testSeed } from '@crossfade/model/testing/test-seed.ts'
import fc from 'fast-check'
import { canonical, identifiersOf, rename, tokenize } from './sql-text.ts'

const seed = testSeed()

const names = {
  relation: (name: { schema: string; name: string }) =>
    name.schema === 'public' && name.name === 'orders' ? { schema: 'sales', name: 'Pur"chases' } : undefined,
  column: (name: string) => ({ total: 'sum', 'odd one': 'even' })[name],
}

const cases: readonly (readonly [given: string, expected: string])[] = [
  ['CHECK ((total > (0)::numeric))', 'CHECK (("sum" > (0)::numeric))'],
  ['CHECK (("odd one" IS NOT NULL))', 'CHECK (("even" IS NOT NULL))'],
  ["CHECK ((total <> 'total'::text))", `CHECK (("sum" <> 'total'::text))`],
  [
    'CREATE INDEX total ON public.orders USING btree (lower(total))',
    'CREATE INDEX "sum" ON "sales"."Pur""chases" USING btree (lower("sum"))',
  ],
  ["nextval('public.orders'::regclass)", `nextval('"sales"."Pur""chases"'::regclass)`],
  ["nextval('public.others'::regclass)", "nextval('public.others'::regclass)"],
  ['(old.total <> new.total)', '(old."sum" <> new."sum")'],
  ['other.total', 'other.total'],
  ['x.public.orders', 'x.public.orders'],
  ['total(1)', 'total(1)'],
  ['a::total', 'a::total'],
  ['ARRAY[total]', 'ARRAY["sum"]'],
  ['E\'\\\\total\' || $x$ total $x$ || "total"', 'E\'\\\\total\' || $x$ total $x$ || "sum"'],
]
for (const [given, expected] of cases) {
  test(`renames in ${given}`, () => {
    assert.equal(rename(given, names), expected)
  })
}

test('nothing changes where nothing is renamed, whatever the text', () => {
  const nothing = { relation: () => undefined, column: () => undefined }
  const piece = fc.oneof(
    fc.string({ maxLength: 12 }),
    fc.constantFrom(
      "'a''b'",
      '"q""u"',
      "E'\\''",
      '$t$ ; $t$',
      '$$',
      '$1',
      'public.orders',
      '--x\n',
      '/* y */',
      ';',
      '::',
      '日本',
    ),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const sql = pieces.join(' ')
      assert.equal(
        tokenize(sql)
          .map((token) => token.text)
          .join(''),
        sql,
      )
      assert.equal(rename(sql, nothing), sql)
    }),
    { seed, numRuns: 500 },
  )
})

test('the canonical form forgets spaces and needless quotes, and nothing else', () => {
  assert.equal(canonical('SELECT  "a" ,b\n FROM "Tab le"'), canonical('select a, b from "Tab le"'))
  assert.notEqual(canonical('SELECT "A"'), canonical('SELECT "a"'))
  assert.notEqual(canonical("SELECT 'a  b'"), canonical("SELECT 'a b'"))
})

test('identifiers are found inside bodies too', () => {
  const words = identifiersOf(`BEGIN EXECUTE 'SELECT * FROM "Or ders" WHERE x = $$ y $$'; PERFORM z; END`, true)
  for (const word of ['Or ders', 'x', 'y', 'z']) assert.ok(words.has(word), word)
})
