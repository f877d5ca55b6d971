import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, beforeEach, suite, test } from 'node:test'
import type { JournalEntry, LiveEvent, Subscription } from '@crossfade/engine/contract.ts'
import { entry } from '@crossfade/engine/entries.ts'
import type { MigrationId } from '@crossfade/model/ids.ts'
import { unsentBytesMax } from './event-streams.ts'
import { sampleMigration, type TestServer, testServer } from './testing.ts'

interface Message {
  readonly id: number | null
  readonly event: string
  readonly data: LiveEvent & { readonly entry?: JournalEntry; readonly epoch?: number }
}

let server: TestServer
let id: MigrationId
let url: string
let listeners: number

beforeEach(async () => {
  server = await testServer()
  listeners = 0
  const subscribe = server.service.subscribe.bind(server.service)
  server.service.subscribe = (listener, migration) => {
    const subscription = subscribe(listener, migration)
    listeners += 1
    let isOver = false
    const end = () => {
      if (!isOver) listeners -= 1
      isOver = true
      subscription()
    }
    return Object.assign(end, { ready: subscription.ready })
  }
  id = await sampleMigration(server)
  url = await server.app.listen({ host: '127.0.0.1', port: 0 })
})
afterEach(() => server.close())

/** Opens a stream and hands out its messages one by one. */
async function open(path: string, headers: Record<string, string> = {}) {
  const stop = new AbortController()
  const response = await fetch(`${url}/api/v1${path}`, {
    headers: { ...server.headers.viewer, ...headers },
    signal: stop.signal,
  })
  assert.equal(response.status, 200)
  assert.equal(response.headers.get('content-type'), 'text/event-stream')
  const messages = parse(response.body!)
  const next = async (wanted: (message: Message) => boolean = () => true): Promise<Message | null> => {
    for (;;) {
      const { value, done } = await messages.next()
      if (done) return null
      if (wanted(value)) return value
    }
  }
  return { next, journal: () => next((message) => message.event === 'journal'), close: () => stop.abort() }
}

async function* parse(body: ReadableStream<Uint8Array>): AsyncGenerator<Message, undefined> {
  let rest = ''
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + chunk).split('\n\n')
    rest = blocks.pop()!
    for (const block of blocks) {
      const fields = new Map(
        block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
      )
      const data = fields.get('data')
      if (data !== undefined) {
        yield {
          id: fields.has('id') ? Number(fields.get('id')) : null,
          event: fields.get('event')!,
          data: JSON.parse(data),
        }
      }
    }
  }
}

const note = (text: string) => entry('throttle', { state: 'open', reason: text })
const write = (migration: MigrationId, ...texts: string[]) => server.store.journal.append(migration, texts.map(note))

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5))
}

suite('live events', () => {
  test('journal entries arrive in order, each with its position as id', async () => {
    const stream = await open(`/migrations/${id}/events`)
    await write(id, 'a', 'b')
    await write(id, 'c')
    const got = [await stream.journal(), await stream.journal(), await stream.journal()]
    assert.deepEqual(
      got.map((message) => (message!.data.entry!.body as { reason: string }).reason),
      ['a', 'b', 'c'],
    )
    assert.deepEqual(
      got.map((message) => message!.id),
      got.map((message) => message!.data.entry!.position),
    )
    stream.close()
  })

  test('Last-Event-ID: what was missed comes first, once each, while more is being written', async () => {
    const [newest] = await server.service.history(id, { limit: 1 })
    await write(id, 'missed 1', 'missed 2')
    const opening = open(`/migrations/${id}/events`, { 'last-event-id': String(newest!.position) })
    let written = 0
    const writing = (async () => {
      while (written < 200) await write(id, `live ${written++}`)
    })()
    const stream = await opening
    await writing
    const positions: number[] = []
    const texts: string[] = []
    while (texts.at(-1) !== 'live 199') {
      const message = await stream.journal()
      positions.push(message!.id!)
      texts.push((message!.data.entry!.body as { reason: string }).reason)
    }
    assert.deepEqual(texts, ['missed 1', 'missed 2', ...Array.from({ length: 200 }, (_, index) => `live ${index}`)])
    assert.deepEqual(
      positions,
      positions.toSorted((one, other) => one - other),
    )
    stream.close()
  })

  test('an entry that is both told live and read as missed comes once', async () => {
    const [newest] = await server.service.history(id, { limit: 1 })
    const history = server.service.history.bind(server.service)
    const reading = Promise.withResolvers<void>()
    const hold = Promise.withResolvers<void>()
    server.service.history = async (migration, asked) => {
      if (asked?.after === newest!.position) {
        reading.resolve()
        await hold.promise
      }
      return history(migration, asked)
    }
    const told = Promise.withResolvers<void>()
    const deaf = server.service.subscribe((event) => {
      if (event.type === 'journal' && event.entry.summary.includes('twice')) told.resolve()
    })
    const stream = await open(`/migrations/${id}/events?after=${newest!.position}`)
    await reading.promise
    await write(id, 'twice')
    await told.promise
    deaf()
    hold.resolve()
    const first = await stream.journal()
    await write(id, 'next')
    const second = await stream.journal()
    assert.deepEqual(
      [first, second].map((message) => (message!.data.entry!.body as { reason: string }).reason),
      ['twice', 'next'],
    )
    stream.close()
  })

  test('an entry that is journaled before the live events are ready is not lost', async () => {
    const [newest] = await server.service.history(id, { limit: 1 })
    const subscribe = server.service.subscribe.bind(server.service)
    const asked = Promise.withResolvers<void>()
    const hold = Promise.withResolvers<void>()
    server.service.subscribe = (listener, migration) => {
      let end = () => {}
      const ready = hold.promise.then(() => {
        const subscription = subscribe(listener, migration)
        end = subscription
        return subscription.ready
      })
      asked.resolve()
      return Object.assign(() => end(), { ready })
    }
    const opening = open(`/migrations/${id}/events`, { 'last-event-id': String(newest!.position) })
    await asked.promise
    // Time enough for a server that does not wait to read the history too soon.
    await new Promise((resolve) => setTimeout(resolve, 100))
    await write(id, 'early')
    hold.resolve()
    const stream = await opening
    assert.equal(((await stream.journal())!.data.entry!.body as { reason: string }).reason, 'early')
    stream.close()
  })

  test('more entries than one page were missed, over two migrations: all come, in the order of their positions', async () => {
    const other = await sampleMigration(server, 'other')
    const [newest] = await server.service.history(other, { limit: 1 })
    for (let round = 0; round < 25; round += 1) {
      await write(id, ...Array.from({ length: 100 }, (_, index) => `one ${round} ${index}`))
      await write(other, ...Array.from({ length: 50 }, (_, index) => `other ${round} ${index}`))
    }
    const stream = await open(`/events?after=${newest!.position}`)
    const positions: number[] = []
    while (positions.length < 3_750) positions.push((await stream.journal())!.id!)
    assert.deepEqual(
      positions,
      Array.from({ length: 3_750 }, (_, index) => newest!.position + 1 + index),
    )
    stream.close()
  })

  test('a stream of one migration holds nothing of another', async () => {
    const other = await sampleMigration(server, 'other')
    const stream = await open(`/migrations/${other}/events`)
    await write(id, 'not for this one')
    await write(other, 'for this one')
    const message = await stream.journal()
    assert.equal(message!.data.migration, other)
    stream.close()
  })

  test('the routing comes at once, then each flip once', async () => {
    const stream = await open(`/migrations/${id}/routing/events`)
    assert.equal((await stream.next())!.data.epoch, 3)
    const routing = { ...(await server.service.routing(id)), epoch: 4 }
    const flipped = { event: 'flipped', units: [], to: 'target', attempt: 2, reason: null, parts: {} } as const
    await server.store.journal.append(id, [entry('routing', { routing, note: flipped })], { routing })
    const message = await stream.next()
    assert.deepEqual([message!.event, message!.data.epoch], ['routing', 4])
    stream.close()
  })

  test('closing the connection ends the subscription, also while missed entries are read', async () => {
    const streams = await Promise.all(Array.from({ length: 20 }, () => open('/events')))
    assert.equal(listeners, 20)
    for (const stream of streams) stream.close()
    await until(() => listeners === 0)
    const history = server.service.history.bind(server.service)
    const hold = Promise.withResolvers<void>()
    server.service.history = async (...asked) => {
      await hold.promise
      return history(...asked)
    }
    const stop = new AbortController()
    const asked = fetch(`${url}/api/v1/migrations/${id}/events`, {
      headers: server.headers.viewer,
      signal: stop.signal,
    })
    await until(() => listeners === 1)
    stop.abort()
    await assert.rejects(asked)
    hold.resolve()
    await until(() => listeners === 0)
  })

  test('a migration that does not exist leaves no subscription behind', async () => {
    const answer = await fetch(`${url}/api/v1/migrations/mig_000000000000/events`, { headers: server.headers.viewer })
    assert.equal(answer.status, 404)
    assert.equal(listeners, 0)
  })

  test('a reader that does not read is cut off, and no event is kept for it any longer', async () => {
    let tell: (event: LiveEvent) => void = () => undefined
    let isOver = false
    const subscription: Subscription = Object.assign(() => void (isOver = true), { ready: Promise.resolve() })
    server.service.subscribe = (listener) => {
      tell = listener
      return subscription
    }
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.write(
      `GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${server.headers.viewer.authorization}\r\n\r\n`,
    )
    await once(socket, 'readable')
    socket.pause()
    const [newest] = await server.service.history(id, { limit: 1 })
    const big = { ...newest!, summary: 'x'.repeat(64 * 1024) }
    const most = (4 * unsentBytesMax) / (64 * 1024) + 200
    let sent = 0
    for (; !isOver && sent < most; sent += 1) {
      tell({ type: 'journal', migration: id, entry: { ...big, position: newest!.position + 1 + sent } })
      if (sent % 16 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    assert.ok(isOver, `still open after ${sent} events of 64 KiB`)
    socket.destroy()
  })

  test('stopping the server ends the streams, and nothing is left that listens', async () => {
    const stream = await open('/events')
    await server.app.close()
    assert.equal(await stream.next(() => false), null)
    assert.equal(listeners, 0)
  })

  test('a routing wait ends with the present routing when the server stops', async () => {
    const asked = Promise.withResolvers<void>()
    server.service.routingAfter = () => {
      asked.resolve()
      return new Promise(() => undefined)
    }
    const waiting = fetch(`${url}/api/v1/migrations/${id}/routing?after=3`, { headers: server.headers.viewer })
    await asked.promise
    await server.app.close()
    assert.equal(((await (await waiting).json()) as { epoch: number }).epoch, 3)
  })
})
