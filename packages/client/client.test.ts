import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { asShardId } from '@crossfade/model/ids.ts'
import type { Routing } from '@crossfade/routing/routing.ts'
import { EventStreamParser } from './event-stream.ts'
import { Histogram } from './histogram.ts'
import { httpRouting } from './http-routing.ts'
import { isPlainWrite, isUnreachable, outcomeOf } from './outcome.ts'
import { readRouting } from './routing-source.ts'

const shard = asShardId('source/a')
const routingOf = (epoch: number): Routing => ({
  epoch,
  source: { kind: 'single', shard },
  target: { kind: 'single', shard: asShardId('target/a') },
  authority: { [shard]: 'source' },
  fenced: [],
})

test('the event stream is read however it is cut', () => {
  const text = ': hello\r\nevent: routing\ndata: {"a":\rdata: "é"}\n\ndata:x\n\nevent: nothing\n\n'
  const expected = [
    { event: 'routing', data: '{"a":\n"é"}' },
    { event: 'message', data: 'x' },
  ]
  const bytes = Buffer.from(text)
  for (let size = 1; size <= bytes.length; size += 1) {
    const parser = new EventStreamParser()
    const events = []
    for (let at = 0; at < bytes.length; at += size) events.push(...parser.push(bytes.subarray(at, at + size)))
    assert.deepEqual(events, expected, `in pieces of ${size}`)
  }
})

test('percentiles are within 5 %, the maximum is exact', () => {
  const histogram = new Histogram()
  assert.deepEqual(histogram.figures(), { count: 0, p50: 0, p99: 0, max: 0 })
  for (let ms = 1; ms <= 1000; ms += 1) histogram.add(ms)
  const { count, p50, p99, max } = histogram.figures()
  assert.equal(count, 1000)
  assert.equal(max, 1000)
  assert.ok(p50 >= 500 && p50 <= 525, `${p50}`)
  assert.ok(p99 >= 990 && p99 <= 1000, `${p99}`)
})

test('what an error says about the statement', () => {
  const error = (code?: string, severity?: string, message = 'x') =>
    Object.assign(new Error(message), { code, severity })
  assert.equal(outcomeOf(error('CF001')), 'fenced')
  assert.equal(outcomeOf(error('40P01')), 'conflict')
  assert.equal(outcomeOf(error('23505', 'ERROR')), 'refused')
  assert.equal(outcomeOf(error('57P01', 'FATAL')), 'lost')
  assert.equal(outcomeOf(error('XX000', 'PANIC')), 'lost')
  assert.equal(outcomeOf(error('EPIPE')), 'lost')
  assert.equal(outcomeOf(error('ECONNRESET')), 'lost')
  assert.equal(outcomeOf(error(undefined, undefined, 'Connection terminated unexpectedly')), 'lost')
  assert.equal(outcomeOf(new TypeError('not a query')), 'refused')
  assert.ok(isUnreachable(error('ECONNREFUSED')) && isUnreachable(error('57P03')))
  assert.ok(
    !isUnreachable(error('28P01', 'FATAL')) &&
      !isUnreachable(error(undefined, undefined, 'timeout exceeded when trying to connect')),
  )
  assert.ok(isPlainWrite(' insert into x') && !isPlainWrite('SELECT 1') && !isPlainWrite('with x as (insert …) select'))
})

test('what is no routing is refused', () => {
  assert.equal(readRouting(routingOf(3)).epoch, 3)
  for (const bad of [
    null,
    'x',
    {},
    { ...routingOf(1), epoch: '1' },
    { ...routingOf(1), source: {} },
    { ...routingOf(1), authority: undefined },
    { ...routingOf(1), authority: { a: 'left' } },
    { ...routingOf(1), fenced: null },
  ]) {
    assert.throws(() => readRouting(bad), { code: 'CF7102' })
  }
})

test('httpRouting reads, follows, takes a broken stream up again, and sends its token', async () => {
  let epoch = 1
  const streams = new Set<ServerResponse>()
  const server = createServer((request, response) => {
    if (request.headers.authorization !== 'Bearer secret') return void response.writeHead(401).end()
    if (request.url === '/api/v1/migrations/m/routing') {
      response.setHeader('content-type', 'application/json')
      return void response.end(JSON.stringify(routingOf(epoch)))
    }
    assert.equal(request.url, '/api/v1/migrations/m/routing/events')
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(': hello\n\n')
    streams.add(response)
    response.on('close', () => streams.delete(response))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/migrations/m/`
  const until = async (holds: () => boolean) => {
    while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await assert.rejects(
    httpRouting({ url, token: 'wrong' }).start(() => undefined),
    { code: 'CF7101' },
  )
  const source = httpRouting({ url, token: 'secret' })
  const epochs: number[] = []
  await source.start((routing) => epochs.push(routing.epoch))
  assert.deepEqual(epochs, [1])
  await until(() => streams.size === 1)
  for (const stream of streams) stream.write(`event: routing\ndata: ${JSON.stringify(routingOf(2))}\n\n`)
  await until(() => epochs.at(-1) === 2)
  epoch = 3
  for (const stream of streams) stream.destroy()
  await until(() => epochs.at(-1) === 3)
  await until(() => streams.size === 1)
  for (const stream of streams) stream.write('event: routing\ndata: {broken\n\n')
  epoch = 4
  await source.refresh()
  await until(() => epochs.at(-1) === 4)
  await source.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  await source.refresh()
})
