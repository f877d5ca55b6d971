import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CallParameter, HttpCall } from '@crossfade/catalog/catalog.ts'
import { seededRandom } from '@crossfade/model/seeded-random.ts'
import { testSeed } from '@crossfade/model/testing/test-seed.ts'
import { compileRequest } from './build-request.ts'
import { encodeReserved, encodeStrictly } from './parameter-styles.ts'
import { apiKey, testConfig } from './testing/loopback-upstream.ts'
import { bracketed } from './testing/written-forms.ts'

type Place = CallParameter['in']
type Written = Pick<CallParameter, 'in' | 'style' | 'explode'> & Partial<CallParameter>

/** What goes over the wire of a parameter `color`, without what stands around it; null when nothing goes. */
function written(parameter: Written, value: unknown): string | null {
  const declared = { argument: 'color', name: 'color', required: false, ...parameter }
  const path = parameter.in === 'path' ? '/{color}' : '/'
  const call: HttpCall = { method: 'GET', path, parameters: [declared], body: null }
  const request = compileRequest(call, testConfig('https://api.acme.test/v1'), 'things').build(
    { color: value },
    {},
    apiKey('k'),
  )
  const header = (name: string) => {
    const at = request.headers.indexOf(name)
    return at === -1 ? null : request.headers[at + 1]!
  }
  const found: Record<Place, string | null> = {
    path: request.path.slice('/v1/'.length),
    query: request.path.includes('?') ? request.path.slice('/v1/?'.length) : null,
    header: header('color'),
    cookie: header('cookie'),
  }
  return found[parameter.in]
}

const array = ['blue', 'black', 'brown']
const object = { R: 100, G: 200, B: 150 }

test('SI-04 every style of OpenAPI is written as in its table of examples', () => {
  // https://spec.openapis.org/oas/v3.1.1.html#style-examples; undefined where the table says n/a.
  const table: [Place, CallParameter['style'], boolean, ...(string | undefined)[]][] = [
    ['path', 'matrix', false, ';color', ';color=blue', ';color=blue,black,brown', ';color=R,100,G,200,B,150'],
    ['path', 'matrix', true, ';color', ';color=blue', ';color=blue;color=black;color=brown', ';R=100;G=200;B=150'],
    ['path', 'label', false, undefined, '.blue', '.blue,black,brown', '.R,100,G,200,B,150'],
    ['path', 'label', true, undefined, '.blue', '.blue.black.brown', '.R=100.G=200.B=150'],
    ['path', 'simple', false, undefined, 'blue', 'blue,black,brown', 'R,100,G,200,B,150'],
    ['path', 'simple', true, undefined, 'blue', 'blue,black,brown', 'R=100,G=200,B=150'],
    ['header', 'simple', false, '', 'blue', 'blue,black,brown', 'R,100,G,200,B,150'],
    ['header', 'simple', true, '', 'blue', 'blue,black,brown', 'R=100,G=200,B=150'],
    ['query', 'form', false, 'color=', 'color=blue', 'color=blue,black,brown', 'color=R,100,G,200,B,150'],
    ['query', 'form', true, 'color=', 'color=blue', 'color=blue&color=black&color=brown', 'R=100&G=200&B=150'],
    [
      'query',
      'spaceDelimited',
      false,
      undefined,
      undefined,
      'color=blue%20black%20brown',
      'color=R%20100%20G%20200%20B%20150',
    ],
    [
      'query',
      'pipeDelimited',
      false,
      undefined,
      undefined,
      'color=blue%7Cblack%7Cbrown',
      'color=R%7C100%7CG%7C200%7CB%7C150',
    ],
    [
      'query',
      'deepObject',
      true,
      undefined,
      undefined,
      undefined,
      'color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150',
    ],
    ['cookie', 'form', false, 'color=', 'color=blue', 'color=blue,black,brown', 'color=R,100,G,200,B,150'],
    // Appendix D: in a cookie header `; ` stands where a query has `&`.
    ['cookie', 'form', true, 'color=', 'color=blue', 'color=blue; color=black; color=brown', 'R=100; G=200; B=150'],
  ]
  for (const [place, style, explode, ...expected] of table) {
    for (const [index, value] of ['', 'blue', array, object].entries()) {
      if (expected[index] === undefined) continue
      assert.equal(
        written({ in: place, style, explode }, value),
        expected[index],
        `${place} ${style} explode=${explode}`,
      )
    }
  }
})

test("SI-04 Swagger 2's collection formats are written as its table says, in every place", () => {
  // https://spec.openapis.org/oas/v2.0.html#parameter-object, `collectionFormat`
  const table: [Place, CallParameter['style'], string][] = [
    ['query', 'form', 'color=blue,black,brown'],
    ['query', 'spaceDelimited', 'color=blue%20black%20brown'],
    ['query', 'tabDelimited', 'color=blue%09black%09brown'],
    ['query', 'pipeDelimited', 'color=blue%7Cblack%7Cbrown'],
    ['path', 'simple', 'blue,black,brown'],
    ['path', 'spaceDelimited', 'blue%20black%20brown'],
    ['path', 'tabDelimited', 'blue%09black%09brown'],
    ['path', 'pipeDelimited', 'blue%7Cblack%7Cbrown'],
    ['header', 'simple', 'blue,black,brown'],
    ['header', 'spaceDelimited', 'blue black brown'],
    ['header', 'tabDelimited', 'blue\tblack\tbrown'],
    ['header', 'pipeDelimited', 'blue|black|brown'],
  ]
  for (const [place, style, expected] of table) {
    assert.equal(written({ in: place, style, explode: false }, array), expected, `${place} ${style}`)
  }
  assert.equal(written({ in: 'query', style: 'form', explode: true }, array), 'color=blue&color=black&color=brown')
})

test('what a value holds is never taken for what separates values', () => {
  const tricky = ['a,b', 'c|d e', 'f&g=h;i.j']
  assert.equal(written({ in: 'query', style: 'form', explode: false }, tricky), 'color=a%2Cb,c%7Cd%20e,f%26g%3Dh%3Bi.j')
  assert.equal(
    written({ in: 'query', style: 'pipeDelimited', explode: false }, tricky),
    'color=a%2Cb%7Cc%7Cd%20e%7Cf%26g%3Dh%3Bi.j',
  )
  assert.equal(written({ in: 'path', style: 'matrix', explode: true }, ['a;b', '', 'c']), ';color=a%3Bb;color;color=c')
})

test('a parameter with content is one text: JSON, or the value as it is', () => {
  const json = { in: 'query', style: 'form', explode: true, content: 'json' } as const
  // https://spec.openapis.org/oas/v3.1.1.html#parameter-object-examples, `coordinates`
  assert.equal(written(json, { lat: 1.5, long: 2 }), 'color=%7B%22lat%22%3A1.5%2C%22long%22%3A2%7D')
  assert.equal(written(json, 'text'), 'color=%22text%22')
  assert.equal(written({ ...json, in: 'header', style: 'simple' }, { a: [1] }), '{"a":[1]}')
  assert.equal(written({ ...json, content: 'text' }, 'a b'), 'color=a%20b')
  assert.equal(written({ ...json, content: 'text' }, ['a']), 'color=%5B%22a%22%5D')
})

test('reserved expansion keeps reserved characters and triples, and nothing that would end the value', () => {
  // RFC 6570, 3.2.3 and the table of 2.4: {+base} of `http://example.com/home/`, {+half} of `50%`, {+path} of `/foo/bar`
  assert.equal(encodeReserved('http://example.com/home/'), 'http://example.com/home/')
  assert.equal(encodeReserved('50%'), '50%25')
  assert.equal(encodeReserved('a%20b%2fc%zz'), 'a%20b%2fc%25zz')
  assert.equal(encodeReserved('#&+[]'), '%23%26%2B%5B%5D')
  assert.equal(encodeStrictly("%20!'()*"), '%2520%21%27%28%29%2A')
})

test('deep objects: what Stripe, Rails and qs read, down to objects in lists in objects', () => {
  const deep = { in: 'query', style: 'deepObject', explode: true } as const
  const cases: [unknown, string][] = [
    [['a', 'b'], 'color[]=a&color[]=b'],
    [{ k: 'v', 'a[b]': '=' }, 'color[k]=v&color[a%5Bb%5D]=%3D'],
    [
      [{ price: 'p', tax_rates: ['t', 'u'] }, { price: 'q' }],
      'color[0][price]=p&color[0][tax_rates][]=t&color[0][tax_rates][]=u&color[1][price]=q',
    ],
    [{ gte: 1, not: null, none: [], off: false }, 'color[gte]=1&color[off]=false'],
    // One that is numbered makes all numbered, or a reader would mix them up.
    [['x', { y: 1 }], 'color[0]=x&color[1][y]=1'],
    ['', 'color='],
  ]
  for (const [value, expected] of cases) {
    const plain = written(deep, value)!.replaceAll('%5B', '[').replaceAll('%5D', ']')
    assert.equal(plain.replaceAll('a[b]', 'a%5Bb%5D'), expected)
  }
  assert.equal(written(deep, {}), null)
})

test('random deep objects are read back by qs as they were', (context) => {
  const seed = testSeed()
  context.diagnostic(`CROSSFADE_SEED=${seed}`)
  const random = seededRandom(seed)
  const below = (count: number) => Math.floor(random() * count)
  const characters = [
    'a',
    'Z',
    '7',
    '_',
    '-',
    '.',
    ' ',
    '&',
    '=',
    '%',
    '+',
    '#',
    '?',
    'é',
    '漢',
    '😀',
    '%5B',
    '\n',
    '"',
    "'",
  ]
  const text = () => Array.from({ length: 1 + below(6) }, () => characters[below(characters.length)]!).join('')
  // Names of letters and signs: what looks like a number or a bracket is a list to its readers.
  const name = () => `k${text().replaceAll('%5B', '')}`
  const tree = (depth: number): unknown => {
    const kind = depth > 3 ? 0 : below(4)
    if (kind < 2) return text()
    const items = Array.from({ length: 1 + below(4) }, () => tree(depth + 1))
    if (kind === 2) return items.some((item) => typeof item === 'object') ? items.map((item) => ({ in: item })) : items
    return Object.fromEntries(items.map((item) => [name(), item]))
  }
  for (let round = 0; round < 200; round++) {
    const value = { [name()]: tree(0), [name()]: tree(0) }
    const query = written({ in: 'query', style: 'deepObject', explode: true }, value)!
    assert.match(query, /^[\x21-\x7e]+$/)
    assert.deepEqual(bracketed(query), { color: value }, `seed ${seed} round ${round} ${JSON.stringify(value)}`)
  }
})
