import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Failure } from '@crossfade/model/failure.ts'
import { testSeed } from '@crossfade/model/testing/test-seed.ts'
import fc from 'fast-check'
import { Framer } from './frames.ts'

const seed = testSeed()
const numRuns = Number(process.env['CROSSFADE_RUNS'] ?? 300)

/** A message of the protocol: its letter, its length, its body. */
function messageOf(kind: number, body: Uint8Array): Buffer {
  const bytes = Buffer.alloc(5 + body.length)
  bytes[0] = kind
  bytes.writeUInt32BE(4 + body.length, 1)
  bytes.set(body, 5)
  return bytes
}

/** What comes out, as `letter body`, in order. */
function read(framer: Framer, chunk: Buffer): string[] {
  return framer.push(chunk).flatMap((part) => {
    if ('control' in part) return [`${String.fromCharCode(part.control.kind)} ${part.control.body.toString('hex')}`]
    const { bytes, frames } = part.block
    return Array.from(
      { length: frames.length / 2 },
      (_, i) => `d ${bytes.subarray(frames[2 * i], frames[2 * i + 1]).toString('hex')}`,
    )
  })
}

test(`however the bytes arrive, the same messages come out (seed ${seed})`, () => {
  const message = fc.record({
    kind: fc.constantFrom(0x64, 0x64, 0x64, 0x57, 0x45),
    body: fc.uint8Array({ maxLength: 60 }),
  })
  const property = fc.property(fc.array(message), fc.array(fc.integer({ min: 1, max: 40 })), (messages, sizes) => {
    const stream = Buffer.concat(messages.map(({ kind, body }) => messageOf(kind, body)))
    const framer = new Framer()
    const out: string[] = []
    for (let at = 0, i = 0; at < stream.length; i++) {
      const size = sizes.length === 0 ? stream.length : sizes[i % sizes.length]!
      out.push(...read(framer, stream.subarray(at, at + size)))
      at += size
    }
    assert.deepEqual(
      out,
      messages.map(({ kind, body }) => `${String.fromCharCode(kind)} ${Buffer.from(body).toString('hex')}`),
    )
  })
  fc.assert(property, { seed, numRuns })
})

test('a message far larger than a read is joined once', () => {
  const body = Buffer.alloc(64 * 1024 * 1024, 7)
  const stream = messageOf(0x64, body)
  const framer = new Framer()
  let parts = framer.push(stream.subarray(0, 3))
  for (let at = 3; at < stream.length; at += 65_536) {
    assert.deepEqual(parts, [])
    parts = framer.push(stream.subarray(at, at + 65_536))
  }
  const [part] = parts
  assert.ok(part && 'block' in part)
  assert.ok(part.block.bytes.subarray(part.block.frames[0], part.block.frames[1]).equals(body))
})

test(`bytes that are not the protocol give CF3010 or wait, and never anything else (seed ${seed})`, () => {
  for (const length of [0, 3, 0x7fffffff, 0xffffffff]) {
    const bytes = Buffer.alloc(5)
    bytes[0] = 0x64
    bytes.writeUInt32BE(length, 1)
    assert.throws(() => new Framer().push(bytes), isCoded)
  }
  const property = fc.property(fc.array(fc.uint8Array({ maxLength: 30 })), (chunks) => {
    const framer = new Framer()
    try {
      for (const chunk of chunks) framer.push(Buffer.from(chunk))
    } catch (error) {
      assert.ok(isCoded(error), String(error))
    }
  })
  fc.assert(property, { seed, numRuns })
})

function isCoded(error: unknown): boolean {
  return error instanceof Failure && error.code === 'CF3010'
}
