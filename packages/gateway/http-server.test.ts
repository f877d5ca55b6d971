import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { closeServer, edgeServer, listenOn } from './http-server.ts'

/** A server whose requests wait until the test answers them, and a way to send some. */
async function startServer() {
  const waiting = new Map<string, ServerResponse>()
  const server = edgeServer((request, response) => {
    waiting.set(request.url!, response)
    server.emit('arrived')
  })
  const port = await listenOn(server, { host: '127.0.0.1', port: 0, shared: false })
  const send = async (path: string) => {
    const answer = fetch(`http://127.0.0.1:${port}${path}`).then(async (response) => ({
      status: response.status,
      headers: response.headers,
      text: await response.text(),
    }))
    answer.catch(() => undefined)
    while (!waiting.has(path)) await once(server, 'arrived')
    return { answer, response: waiting.get(path)! }
  }
  return { server, port, send }
}

test('a server that is stopped lets what is under way finish, and takes nothing new', async () => {
  const { server, port, send } = await startServer()
  const first = await send('/first')
  const second = await send('/second')
  const closing = closeServer(server, 60_000)
  await assert.rejects(fetch(`http://127.0.0.1:${port}/late`))
  first.response.end('done')
  second.response.end('done as well')
  assert.equal((await first.answer).text, 'done')
  assert.equal((await second.answer).text, 'done as well')
  assert.equal((await first.answer).headers.get('connection'), 'close')
  await closing
})

test('what does not finish in time is told so, in the words of whom it asked; none is cut without one', async () => {
  const { server, send } = await startServer()
  const call = await send('/git_user_1a2b3c4d_9f8e7d/github/')
  const question = await send('/api/v1/services')
  await closeServer(server, 20)
  const refused = await call.answer
  assert.equal(refused.status, 503)
  assert.equal(refused.headers.get('retry-after'), '2')
  assert.equal(JSON.parse(refused.text).error.data.code, 'CF14027')
  const problem = await question.answer
  assert.equal(problem.status, 503)
  assert.equal(JSON.parse(problem.text).code, 'CF14027')
})

test('a stream that has begun is ended when the server stops', async () => {
  const { server, send } = await startServer()
  const stream = await send('/stream')
  stream.response.writeHead(200, { 'content-type': 'text/event-stream' })
  stream.response.write('data: 1\n\n')
  await closeServer(server, 20)
  await assert.rejects(stream.answer)
})
