import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { seededRandom } from '@crossfade/model/seeded-random.ts'
import { testSeed } from '@crossfade/model/testing/test-seed.ts'
import type { ClientBase } from 'pg'
import { copyOut } from './copy-out.ts'
import type { WireConnection, WireQuery } from './wire.ts'

const seed = testSeed()

function message(type: string, content = ''): Buffer {
  const bytes = Buffer.from(content)
  const header = Buffer.alloc(5)
  header.write(type)
  header.writeInt32BE(bytes.length + 4, 1)
  return Buffer.concat([header, bytes])
}

/** A connection whose socket the test feeds. Whole messages that reach `pg` are answered as its client would. */
function fakeClient() {
  const socket = Object.assign(new EventEmitter(), {
    paused: false,
    destroyed: false,
    pause: () => (socket.paused = true),
    resume: () => (socket.paused = false),
    destroy: () => (socket.destroyed = true),
  })
  let query: WireQuery | null = null
  let rest = Buffer.alloc(0)
  const seen: string[] = []
  socket.on('data', (bytes: Buffer) => {
    rest = Buffer.concat([rest, bytes])
    while (rest.length >= 5 && rest.length > rest.readInt32BE(1)) {
      const type = String.fromCharCode(rest[0]!)
      const text = rest.toString('utf8', 5, 1 + rest.readInt32BE(1))
      rest = rest.subarray(1 + rest.readInt32BE(1))
      seen.push(type)
      if (type === 'C') query!.handleCommandComplete({ text })
      if (type === 'Z') query!.handleReadyForQuery()
      if (type === 'E') query!.handleError(new Error(text))
    }
  })
  const connection = { stream: socket, query: () => undefined, sendCopyFail: () => undefined }
  const client = {
    query(given: WireQuery) {
      query = given
      given.submit(connection as unknown as WireConnection)
    },
  }
  return { client: client as unknown as ClientBase, socket, seen }
}

test(`CopyData passes on untouched and everything else reaches pg, however it is cut (seed ${seed})`, async () => {
  const random = seededRandom(seed)
  for (let round = 0; round < 200; round += 1) {
    const { client, socket, seen } = fakeClient()
    const fails = random() < 0.3
    const messages = [message('H', '\0\0\x01\0\0')]
    const data: Buffer[] = []
    const kinds = ['H']
    for (let n = Math.floor(random() * 30); n > 0; n -= 1) {
      const kind = random() < 0.2 ? ['N', 'S', 'A'][Math.floor(random() * 3)]! : 'd'
      const made = message(kind, 'x'.repeat(Math.floor(random() ** 4 * 3000)))
      messages.push(made)
      if (kind === 'd') data.push(made)
      else kinds.push(kind)
    }
    const end = fails ? ['E', 'Z'] : ['c', 'C', 'Z']
    messages.push(...end.map((kind) => message(kind, kind === 'C' ? 'COPY 17' : kind === 'E' ? 'no luck' : '')))
    const got: Buffer[] = []
    const result = copyOut(client, 'COPY', (block) => {
      got.push(Buffer.from(block))
      return random() < 0.2 ? turn() : undefined
    }).then(
      (rows) => rows,
      (error: Error) => error.message,
    )
    const stream = Buffer.concat(messages)
    for (let at = 0; at < stream.length; ) {
      const step = 1 + Math.floor(random() ** 3 * 900)
      while (socket.paused) await turn()
      socket.emit('data', stream.subarray(at, at + step))
      at += step
    }
    assert.equal(await result, fails ? 'no luck' : 17)
    assert.ok(Buffer.concat(got).equals(Buffer.concat(data)), `round ${round}`)
    assert.deepEqual(seen, [...kinds, ...end])
    assert.equal(socket.listenerCount('data'), 1)
    assert.equal(socket.destroyed, false)
  }
})

test('a consumer that fails ends the connection, since the rest of the rows would come', async () => {
  for (const consume of [
    () => Promise.reject(new Error('enough')),
    () => {
      throw new Error('enough')
    },
  ]) {
    const { client, socket } = fakeClient()
    const result = copyOut(client, 'COPY', consume)
    socket.emit('data', message('d', 'x'))
    await assert.rejects(result, /enough/)
    assert.equal(socket.destroyed, true)
  }
})

test('the socket is not read while the consumer asks to wait', async () => {
  const { client, socket } = fakeClient()
  let go!: () => void
  const result = copyOut(client, 'COPY', () => new Promise((resolve) => (go = resolve)))
  socket.emit('data', message('d', 'x'))
  assert.equal(socket.paused, true)
  go()
  await turn()
  assert.equal(socket.paused, false)
  socket.emit('data', Buffer.concat([message('c'), message('C', 'COPY 1'), message('Z', 'I')]))
  assert.equal(await result, 1)
})
