import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BodyMember, CallBody, HttpCall } from '@crossfade/catalog/catalog.ts'
import { openCatalog } from '@crossfade/catalog/catalog-from.ts'
import { seededRandom } from '@crossfade/model/seeded-random.ts'
import { testSeed } from '@crossfade/model/testing/test-seed.ts'
import { compileRequest } from './build-request.ts'
import { apiKey, startUpstream, testCall, testConfig, testTool, withCaller } from './testing/loopback-upstream.ts'
import { bracketed, fieldsOf } from './testing/written-forms.ts'

const config = testConfig('https://api.acme.test/v1')
const urlEncoded = 'application/x-www-form-urlencoded'

/** A form whose arguments have the names of its members. */
function formOf(
  encoding: 'form' | 'multipart',
  members: Readonly<Record<string, Omit<BodyMember, 'argument' | 'name'>>>,
  changes: object = {},
): CallBody {
  return {
    kind: 'members',
    contentType: encoding === 'form' ? urlEncoded : 'multipart/form-data',
    encoding,
    required: true,
    members: Object.entries(members).map(([name, writing]) => ({ argument: name, name, ...writing })),
    ...changes,
  }
}

function sent(body: CallBody, values: Record<string, unknown>): { type: string; body: string | Buffer } {
  const call: HttpCall = { method: 'POST', path: '/', parameters: [], body }
  const request = compileRequest(call, config, 'things').build(values, {}, apiKey('k'))
  return { type: request.headers[request.headers.indexOf('content-type') + 1]!, body: request.body! }
}

test('SI-04 URL-encoded forms are written as the Encoding Object says', () => {
  const list = ['a', 'b c']
  const object = { R: 100, G: 'x&y' }
  // https://spec.openapis.org/oas/v3.1.1.html#encoding-object: with style, explode or allowReserved as in a query …
  const table: [Omit<BodyMember, 'argument' | 'name'>, unknown, string][] = [
    [{ style: 'form', explode: true }, list, 'm=a&m=b%20c'],
    [{ style: 'form', explode: false }, list, 'm=a,b%20c'],
    [{ style: 'form', explode: true }, object, 'R=100&G=x%26y'],
    [{ style: 'form', explode: false }, object, 'm=R,100,G,x%26y'],
    [{ style: 'spaceDelimited', explode: false }, list, 'm=a%20b%20c'],
    [{ style: 'pipeDelimited', explode: false }, list, 'm=a%7Cb%20c'],
    [{ style: 'tabDelimited', explode: false }, list, 'm=a%09b%20c'],
    [{ style: 'deepObject', explode: true }, object, 'm%5BR%5D=100&m%5BG%5D=x%26y'],
    [{ style: 'form', explode: true, allowReserved: true }, 'http://a/?b=c&d', 'm=http://a/?b=c%26d'],
    // … without any of them by the content type: that of the description, or text for scalars and JSON for objects, lists item by item.
    [{}, 'a+b', 'm=a%2Bb'],
    [{}, list, 'm=a&m=b%20c'],
    [{}, object, 'm=%7B%22R%22%3A100%2C%22G%22%3A%22x%26y%22%7D'],
    [{}, [{ a: 1 }, { a: 2 }], 'm=%7B%22a%22%3A1%7D&m=%7B%22a%22%3A2%7D'],
    [{ contentType: 'application/json' }, 'text', 'm=%22text%22'],
    [{ contentType: 'application/xml; charset=utf-8' }, '<a/>', 'm=%3Ca%2F%3E'],
    [{}, null, ''],
    [{}, [], ''],
  ]
  for (const [writing, value, expected] of table) {
    assert.equal(sent(formOf('form', { m: writing }), { m: value }).body, expected, JSON.stringify([writing, value]))
  }
  // https://spec.openapis.org/oas/v3.1.1.html#support-for-x-www-form-urlencoded-request-bodies: the same to every reader of forms.
  const address = { streetAddress: '123 Example Dr.', city: 'Somewhere', state: 'CA', zip: '99999+1234' }
  const example =
    'id=f81d4fae-7dec-11d0-a765-00a0c91e6bf6&address=%7B%22streetAddress%22:%22123+Example+Dr.%22,%22city%22:%22Somewhere%22,%22state%22:%22CA%22,%22zip%22:%2299999%2B1234%22%7D'
  const ours = sent(formOf('form', { id: {}, address: {} }), { id: 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6', address })
  assert.deepEqual([...new URLSearchParams(String(ours.body))], [...new URLSearchParams(example)])
})

test('what is fixed stands in a form whatever the arguments say, and an argument that was not given does not', () => {
  const body = formOf('form', { mode: {}, constructor: {} }, { fixed: { mode: 'ours', deep: { a: 1 } } })
  assert.equal(sent(body, { mode: 'mine' }).body, 'mode=ours&deep=%7B%22a%22%3A1%7D')
  const wrapped = formOf('form', { a: {} }, { argumentsIn: 'variables', fixed: { query: '{me}' } })
  assert.equal(sent(wrapped, { a: 1 }).body, 'variables=%7B%22a%22%3A1%7D&query=%7Bme%7D')
})

test('SI-04 the parts of a multipart form are what the Encoding Object says, to a parser of the platform', async () => {
  const png = Buffer.from('89504e470d0a1a0a00', 'hex')
  const bytes = Buffer.from([0, 13, 10, 45, 45, 255])
  const body = formOf(
    'multipart',
    {
      id: {},
      address: {},
      addresses: {},
      children: {},
      historyMetadata: { contentType: 'application/xml; charset=utf-8' },
      profileImage: { binary: true, contentType: 'image/jpeg, image/png' },
      any: { binary: true, contentType: 'image/*' },
      'fi"le\r\n': { binary: true },
      quotedText: { contentType: 'application/json' },
      expand: { style: 'deepObject', explode: true },
      link: { style: 'deepObject', explode: true },
      csv: { style: 'form', explode: false },
      mode: {},
    },
    { fixed: { mode: 'x' } },
  )
  const { type, body: content } = sent(body, {
    id: 'ü',
    address: { street: 'a' },
    addresses: [{ a: 1 }, { a: 2 }],
    children: ['x', 'y'],
    historyMetadata: '<h/>',
    profileImage: png.toString('base64'),
    any: bytes.toString('base64url'),
    'fi"le\r\n': [bytes.toString('base64'), png.toString('base64')],
    quotedText: 'said',
    expand: ['a', 'b&c'],
    link: { create: true },
    csv: ['a', 'b c'],
    mode: 'mine',
  })
  const fields = await fieldsOf(type, content)
  const told = await Promise.all(
    fields.map(async ([name, value]) => {
      if (typeof value === 'string') return [name, value]
      return [name, value.name, value.type, Buffer.from(await value.arrayBuffer()).toString('hex')]
    }),
  )
  assert.deepEqual(told, [
    ['id', 'ü'],
    ['address', '{"street":"a"}'],
    ['addresses', '{"a":1}'],
    ['addresses', '{"a":2}'],
    ['children', 'x'],
    ['children', 'y'],
    ['historyMetadata', '<h/>'],
    ['profileImage', 'profileImage.png', 'image/png', png.toString('hex')],
    ['any', 'any', 'application/octet-stream', bytes.toString('hex')],
    ['fi"le\r\n', 'fi"le\r\n', 'application/octet-stream', bytes.toString('hex')],
    ['fi"le\r\n', 'fi"le\r\n.png', 'application/octet-stream', png.toString('hex')],
    ['quotedText', '"said"'],
    ['expand[]', 'a'],
    ['expand[]', 'b&c'],
    ['link[create]', 'true'],
    ['csv', 'a,b c'],
    ['mode', 'x'],
  ])
  // Types of parts that are no files: the parser does not tell them.
  const heads = String(content)
    .split('\r\n\r\n')
    .map((part) => part.split(/crossfade-\w+\r\n/).at(-1)!)
  const typeOf = (name: string) => /content-type: (.*)/.exec(heads.find((head) => head.includes(`"${name}"`))!)?.[1]
  assert.deepEqual(['id', 'address', 'children', 'historyMetadata', 'expand[]'].map(typeOf), [
    undefined,
    'application/json',
    undefined,
    'application/xml; charset=utf-8',
    undefined,
  ])
})

test("SI-01 SI-04 Stripe's own operations of the catalog reach the upstream as Stripe reads them", async () => {
  const { catalog } = await openCatalog()
  const stripe = [...catalog.services.values()].find(({ config }) => config.serviceType === 'stripe')!
  const upstream = await startUpstream()
  await withCaller(upstream, async (caller) => {
    const here = testConfig(upstream.url)
    const subscription = {
      customer: 'cus_1',
      expand: ['latest_invoice', 'items.data.price'],
      metadata: { order: 'a&b', käse: '+1 %' },
      items: [
        { price: 'price_1', tax_rates: ['txr_1', 'txr_2'], metadata: { k: 'v' } },
        { price: 'price_2', quantity: 3 },
      ],
      automatic_tax: { enabled: true },
    }
    const post = stripe.tool('PostSubscriptions')!
    assert.equal((await caller.call(testCall(here, post, { arguments: subscription }))).errorCode, null)
    const { method, url, headers, body } = upstream.received[0]!
    assert.deepEqual([method, url, headers['content-type']], ['POST', '/v1/subscriptions', urlEncoded])
    const raw = String(body).replaceAll('%5B', '[').replaceAll('%5D', ']')
    assert.match(raw, /(^|&)expand\[\]=latest_invoice&expand\[\]=items\.data\.price&/)
    assert.match(raw, /&metadata\[order\]=a%26b&metadata\[k%C3%A4se\]=%2B1%20%25(&|$)/)
    assert.match(
      raw,
      /items\[0\]\[price\]=price_1&items\[0\]\[tax_rates\]\[\]=txr_1&items\[0\]\[tax_rates\]\[\]=txr_2&/,
    )
    const texts = JSON.parse(JSON.stringify(subscription), (_, value) =>
      typeof value === 'object' ? value : String(value),
    )
    assert.deepEqual(bracketed(String(body)), texts)

    // An empty text unsets; a query has the same brackets.
    await caller.call(
      testCall(here, stripe.tool('PostCustomersCustomer')!, { arguments: { customer: 'c', metadata: '' } }),
    )
    assert.equal(String(upstream.received[1]!.body), 'metadata=')
    const list = { created: { gte: 5 }, expand: ['data.customer'], limit: 3 }
    await caller.call(testCall(here, stripe.tool('GetCharges')!, { arguments: list }))
    assert.deepEqual(bracketed(upstream.received[2]!.url.split('?')[1]!), {
      created: { gte: '5' },
      expand: ['data.customer'],
      limit: '3',
    })
    const file = { file: Buffer.from('%PDF-1').toString('base64'), purpose: 'dispute_evidence', expand: ['links'] }
    const upload = stripe.tool('PostFiles')!
    await caller.call(testCall(here, testTool({ ...upload.call, baseUrl: here.baseUrl }), { arguments: file }))
    const fields = await fieldsOf(upstream.received[3]!.headers['content-type']!, upstream.received[3]!.body)
    const names = fields.map(([name, value]) => (typeof value === 'string' ? [name, value] : [name, value.name]))
    assert.deepEqual(names, [
      ['expand[]', 'links'],
      ['file', 'file.pdf'],
      ['purpose', 'dispute_evidence'],
    ])
  })
})

test('random members of forms, in every way that a description can have them written, are read back as they were', async (context) => {
  const seed = testSeed()
  context.diagnostic(`CROSSFADE_SEED=${seed}`)
  const random = seededRandom(seed)
  const below = (count: number) => Math.floor(random() * count)
  const characters = [...'ab09 ~!"#$%&\'()*+-./:;<=>?@\\^_`{}[]|,', '\r\n', '\t', 'é', '漢', '😀', '%2F']
  const text = () => Array.from({ length: 1 + below(7) }, () => characters[below(characters.length)]!).join('')
  const apart = () => text().replace(/[\s,|]/g, '')
  const several = (make: () => string) => Array.from({ length: 1 + below(4) }, make)

  for (let round = 0; round < 300; round++) {
    const encoding = below(2) === 0 ? 'form' : 'multipart'
    const list = several(text)
    const bare = several(() => `x${apart()}`)
    const bytes = Buffer.from(Array.from({ length: below(40) }, () => below(256)))
    const object = { s: text(), n: below(1000), deep: [text(), { b: below(2) === 0 }] }
    const values: Record<string, unknown> = {
      scalar: text(),
      list,
      json: text(),
      object,
      comma: bare,
      pipe: bare,
      tab: bare,
      each: list,
      deep: { k: list },
      ...(encoding === 'multipart' ? { file: bytes.toString('base64') } : {}),
    }
    const body = formOf(encoding, {
      scalar: {},
      list: {},
      json: { contentType: 'application/vnd.x+json' },
      object: {},
      comma: { style: 'form', explode: false },
      pipe: { style: 'pipeDelimited', explode: false },
      tab: { style: 'tabDelimited', explode: false },
      each: { style: 'form', explode: true },
      deep: { style: 'deepObject', explode: true },
      ...(encoding === 'multipart' ? { file: { binary: true } } : {}),
    })
    const written = sent(body, values)
    const fields = await fieldsOf(written.type, written.body)
    const read = (name: string) => fields.filter(([each]) => each === name).map(([, value]) => value)
    const told = `seed ${seed} round ${round} ${encoding} ${JSON.stringify(values)}`
    assert.deepEqual(read('scalar'), [values['scalar']], told)
    assert.deepEqual(read('list'), list, told)
    assert.deepEqual(
      read('json').map((each) => JSON.parse(String(each))),
      [values['json']],
      told,
    )
    assert.deepEqual(
      read('object').map((each) => JSON.parse(String(each))),
      [object],
      told,
    )
    assert.deepEqual(String(read('comma')[0]).split(','), bare, told)
    assert.deepEqual(String(read('pipe')[0]).split('|'), bare, told)
    assert.deepEqual(String(read('tab')[0]).split('\t'), bare, told)
    assert.deepEqual(read('each'), list, told)
    assert.deepEqual(read('deep[k][]'), list, told)
    if (encoding === 'multipart') {
      const [file] = read('file') as File[]
      assert.deepEqual(Buffer.from(await file!.arrayBuffer()), bytes, told)
    }
  }
})
