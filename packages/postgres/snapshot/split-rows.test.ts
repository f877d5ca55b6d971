import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Failure, fail } from '@crossfade/model/failure.ts'
import { seededRandom } from '@crossfade/model/seeded-random.ts'
import { testSeed } from '@crossfade/model/testing/test-seed.ts'
import { FrameWriter } from './frame-writer.ts'
import { type CopyFormat, keyBytesMax, RowSplitter } from './split-rows.ts'
import { escapeText, parseTextRow, unescapeText } from './text-row.ts'
import { RowTransformer } from './transform-rows.ts'
import { copyData } from './wire.ts'

const seed = testSeed()
const random = seededRandom(seed)

function message(content: Buffer): Buffer {
  const header = Buffer.alloc(5)
  header[0] = copyData
  header.writeInt32BE(content.length + 4, 1)
  return Buffer.concat([header, content])
}

function textRow(key: string | null, rest: string): Buffer {
  return message(Buffer.from(`${escapeText(key)}\t${rest}\n`))
}

function binaryRow(key: string | null, rest: Buffer, columns: number): Buffer {
  const head = Buffer.alloc(6)
  head.writeInt16BE(columns, 0)
  const bytes = Buffer.from(key ?? '')
  head.writeInt32BE(key === null ? -1 : bytes.length, 2)
  return Buffer.concat([head, bytes, rest])
}

const binaryHeader = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1')
const binaryTrailer = message(Buffer.from([0xff, 0xff]))

/** Puts a stream through in random pieces and gives what each target got, without the protocol's frames. */
function passThrough(
  stream: Buffer,
  make: (writers: FrameWriter[]) => { push(block: Buffer): unknown; end(): unknown },
  targets: number,
): { contents: Buffer[]; messages: number[] } {
  const out: Buffer[][] = Array.from({ length: targets }, () => [])
  const writers = out.map((blocks) => new FrameWriter((block) => void blocks.push(Buffer.from(block))))
  const relay = make(writers)
  for (let at = 0; at < stream.length; ) {
    const step = 1 + Math.floor(random() ** 3 * 100_000)
    relay.push(stream.subarray(at, at + step))
    at += step
  }
  relay.end()
  const messages: number[] = []
  const contents = out.map((blocks, target) => {
    const bytes = Buffer.concat(blocks)
    const parts: Buffer[] = []
    for (let at = 0; at < bytes.length; ) {
      assert.equal(bytes[at], copyData)
      const end = at + 1 + bytes.readInt32BE(at + 1)
      assert.ok(end <= bytes.length, 'a message is cut at the end')
      parts.push(bytes.subarray(at + 5, end))
      at = end
    }
    messages[target] = parts.length
    return Buffer.concat(parts)
  })
  return { contents, messages }
}

const sizes = [0, 1, 3, 200, 5_000, 70_000, 400_000]
const randomSize = () => Math.floor(random() * sizes[Math.floor(random() ** 2 * sizes.length)]!)
const randomKey = () =>
  random() < 0.1 ? null : 'k\té\n😀\\'.slice(0, Math.floor(random() * 8)) + Math.floor(random() * 50)
const routeOf = (key: string | null) => (key === null ? 0 : key.length % 4) - 1

for (const format of ['binary', 'text'] satisfies CopyFormat[]) {
  test(`rows go to their targets whole and in order, however the stream is cut (${format}, seed ${seed})`, () => {
    for (let round = 0; round < 30; round += 1) {
      const expected = [0, 1, 2].map(() => [] as Buffer[])
      const frames: Buffer[] = []
      const rows = Math.floor(random() * 120)
      for (let row = 0; row < rows; row += 1) {
        const key = randomKey()
        const target = routeOf(key)
        let frame: Buffer
        if (format === 'text') {
          const rest = 'x'.repeat(randomSize())
          frame = textRow(key, rest)
          expected[target]?.push(Buffer.from(`${rest}\n`))
        } else {
          const rest = Buffer.alloc(randomSize(), row)
          const content = binaryRow(key, rest, 300)
          frame = message(row === 0 ? Buffer.concat([binaryHeader, content]) : content)
          expected[target]?.push(Buffer.concat([Buffer.from([1, 43]), rest]))
        }
        frames.push(frame)
      }
      if (format === 'binary') {
        if (rows === 0) frames.push(message(Buffer.concat([binaryHeader, Buffer.from([0xff, 0xff])])))
        else frames.push(binaryTrailer)
      }
      let splitter!: RowSplitter
      const { contents } = passThrough(
        Buffer.concat(frames),
        (writers) => (splitter = new RowSplitter(format, routeOf, writers)),
        3,
      )
      contents.forEach((content, target) => {
        const body = Buffer.concat(expected[target]!)
        const whole = format === 'text' ? body : Buffer.concat([binaryHeader, body, Buffer.from([0xff, 0xff])])
        assert.ok(content.equals(whole), `target ${target} of round ${round}`)
      })
      assert.equal(splitter.rows, rows)
      assert.equal(splitter.rows - splitter.dropped, expected.flat().length)
    }
  })
}

test('bytes that are no COPY stream are noticed, never waited for or passed on', () => {
  const feed = (bytes: Buffer, format: CopyFormat = 'binary') => {
    try {
      passThrough(bytes, (writers) => new RowSplitter(format, () => 0, writers), 1)
      return 'passed'
    } catch (error) {
      return error instanceof Failure ? error.code : String(error)
    }
  }
  assert.equal(feed(Buffer.from('garbage here')), 'CF9001')
  assert.equal(feed(message(Buffer.from('not the signature of a copy'))), 'CF9001')
  assert.equal(feed(Buffer.concat([message(binaryHeader), Buffer.from([copyData, 0, 0, 0, 200, 0, 2])])), 'CF9001')
  assert.equal(feed(message(Buffer.concat([binaryHeader, Buffer.from([0, 2, 0])]))), 'CF9001')
  assert.equal(feed(message(Buffer.from('no tab\n')), 'text'), 'CF9001')
  const endless = Buffer.alloc(keyBytesMax * 2, 'k')
  assert.equal(feed(message(endless), 'text'), 'CF9001')
  assert.equal(feed(message(Buffer.concat([binaryHeader]))), 'passed')
})

test('text rows survive parsing and writing, and are read as the server writes them', () => {
  assert.deepEqual(parseTextRow('a\t\\N\t\t\\\\N\tb\\tc\\nd\\re\\bf\\fg\\vh\\\\'), [
    'a',
    null,
    '',
    '\\N',
    'b\tc\nd\re\bf\fg\vh\\',
  ])
  assert.equal(unescapeText('\\.'), '.')
  for (let round = 0; round < 2000; round += 1) {
    const value =
      random() < 0.1
        ? null
        : Array.from(
            { length: Math.floor(random() * 12) },
            () => 'ab\\\t\n\r\b\f\vN.é😀'[Math.floor(random() * 12)],
          ).join('')
    assert.equal(unescapeText(escapeText(value)), value)
    assert.ok(!/[\t\n\r]/.test(escapeText(value)))
  }
})

test(`transformed rows arrive whole and in order, however the stream is cut (seed ${seed})`, () => {
  for (let round = 0; round < 20; round += 1) {
    const expected = ['', '']
    const frames: Buffer[] = []
    const rows = Math.floor(random() * 100)
    for (let row = 0; row < rows; row += 1) {
      const body = `\t${'é'.repeat(randomSize() / 2)}\n`
      const key = `k${row % 3}`
      frames.push(message(Buffer.from(`${key}\t${row}\t${escapeText(body)}\n`)))
      if (row % 3 < 2 && row % 7 > 0) expected[row % 3] += `${escapeText(`<${body}>`)}\t${row}\n`
    }
    let transformer!: RowTransformer
    const { contents } = passThrough(
      Buffer.concat(frames),
      (writers) =>
        (transformer = new RowTransformer(
          {
            table: { schema: 'public', name: 't' },
            name: 'test',
            transform: (row) => (Number(row['n']) % 7 > 0 ? { n: row['n']!, b: `<${row['body']}>` } : null),
            read: ['n', 'body'],
            write: ['b', 'n'],
            route: (key) => ['k0', 'k1'].indexOf(key ?? ''),
          },
          writers,
        )),
      2,
    )
    for (const [target, content] of contents.entries())
      assert.ok(content.toString() === expected[target], `target ${target}`)
    assert.equal(transformer.rows, rows)
  }
})

test('what the route throws comes out', () => {
  const refuse = () => {
    throw fail('CF2801')
  }
  assert.throws(() => passThrough(textRow(null, 'x'), (writers) => new RowSplitter('text', refuse, writers), 1), {
    code: 'CF2801',
  })
})
