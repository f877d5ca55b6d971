import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage, type Server } from 'node:http'
import { connect } from 'node:net'
import { after, test } from 'node:test'
import type { Catalog, Service } from '@crossfade/catalog/catalog.ts'
import type { InstanceDirectory, InstanceSession, PresentedSecret } from '@crossfade/mcp/instances/session.ts'
import { fail } from '@crossfade/model/failure.ts'
import { httpStatuses } from '@crossfade/model/http-answers.ts'
import { bodyBytesMax, createEdge, type Edge } from './edge.ts'
import { hostRules } from './host-check.ts'
import { closeServer, edgeServer, listenOn } from './http-server.ts'

const instance = 'fig_user_1a2b3c4d_9f8e7d'
const path = `/${instance}/figma/`
const token = `cfi_${'t'.repeat(43)}`
const servers: Server[] = []
/** What opening an instance fails with, where a test wants it to. */
let failing: unknown = null
after(() => Promise.all(servers.map((server) => closeServer(server, 0))))

/** A runtime that says what reached it, behind the real edge on a real port. */
async function startEdge(
  times = {},
  told: unknown[] = [],
): Promise<{ port: number; reached: { body: string; presented: PresentedSecret }[] }> {
  const reached: { body: string; presented: PresentedSecret }[] = []
  let presented: PresentedSecret | null = null
  const directory: InstanceDirectory = {
    open(_instanceId, _service, shown) {
      if (failing !== null) throw failing
      if (shown.secret !== token && shown.kind !== 'url') return Promise.reject(fail('CF12001'))
      presented = shown
      return {} as InstanceSession
    },
    close: async () => undefined,
  }
  const services = new Map([['figma', {} as Service]])
  const edge: Edge = createEdge({
    catalog: () => ({ services }) as unknown as Catalog,
    directory,
    hosts: hostRules('http://127.0.0.1:7070', [], ['console.example.com']),
    challenge: (instanceId, serviceType, reason) => `Bearer metadata="/${instanceId}/${serviceType}", ${reason}`,
    onTrouble: (trouble) => told.push(trouble),
    runtime: {
      handle(_request, response, body) {
        reached.push({ body: body.toString(), presented: presented! })
        response.end('served')
      },
      toolsChanged: () => undefined,
      close: async () => undefined,
    },
  })
  const server = edgeServer((request, response) => {
    if (!edge.handle(request, response)) response.writeHead(404).end()
  }, times)
  servers.push(server)
  return { port: await listenOn(server, { host: '127.0.0.1', port: 0, shared: false }), reached }
}

const bearer = { authorization: `Bearer ${token}` }

test('SI-06 a request with its token reaches the runtime, whole', async () => {
  const { port, reached } = await startEdge()
  const answer = await send(port, { headers: bearer, body: 'x'.repeat(300_000) })
  assert.equal(answer.status, 200)
  assert.equal(reached[0]?.body.length, 300_000)
  assert.deepEqual(reached[0]?.presented, { kind: 'bearer', secret: token })
})

test('M12 no token, an unknown instance and a wrong token are answered alike, with the way to get one', async () => {
  const { port, reached } = await startEdge()
  const answers = [
    await send(port, {}),
    await send(port, { headers: { authorization: 'Bearer wrong-token-of-somebody' } }),
    await send(port, { path: '/git_user_00000000_abcdef/figma/', headers: { authorization: 'Bearer wrong-token' } }),
    await send(port, { headers: { authorization: 'Basic abc' } }),
  ]
  for (const { status, headers, body } of answers) {
    assert.equal(status, 401)
    assert.match(headers['www-authenticate']!, /^Bearer metadata=/)
    assert.equal(JSON.parse(body).error.data.code, 'CF12001')
  }
  assert.equal(reached.length, 0)
})

test('M12 the secret of an opt-in URL opens it', async () => {
  const { port, reached } = await startEdge()
  const secret = `cfu_${'s'.repeat(43)}`
  assert.equal((await send(port, { path: `${path}${secret}/` })).status, 200)
  assert.deepEqual(reached[0]?.presented, { kind: 'url', secret })
})

test('a foreign Host or Origin is refused before anything is looked up; an allowed page may read the answer', async () => {
  const { port, reached } = await startEdge()
  for (const headers of [{ host: 'evil.example' }, { origin: 'https://evil.example' }, { origin: 'null' }]) {
    const answer = await send(port, { headers: { ...bearer, ...headers } })
    assert.equal(answer.status, 403)
    assert.equal(JSON.parse(answer.body).error.data.code, 'CF14001')
  }
  assert.equal(reached.length, 0)
  const allowed = await send(port, { headers: { ...bearer, origin: 'https://console.example.com' } })
  assert.equal(allowed.headers['access-control-allow-origin'], 'https://console.example.com')
  const preflight = await send(port, { method: 'OPTIONS', headers: { origin: 'https://console.example.com' } })
  assert.equal(preflight.status, 204)
})

test('every code that keeps an instance from being opened is answered with its status, as an MCP error with its remedy', async () => {
  const told: unknown[] = []
  const { port } = await startEdge({}, told)
  try {
    for (const code of Object.keys(httpStatuses) as (keyof typeof httpStatuses)[]) {
      const failure = fail(code, { service: 'figma', seconds: 7 })
      failing = failure
      const before = told.length
      const { status, headers, body } = await send(port, { headers: bearer })
      const { error, ...rest } = JSON.parse(body)
      assert.equal(status, httpStatuses[code], code)
      assert.deepEqual(rest, { jsonrpc: '2.0', id: null }, code)
      assert.equal(error.code, status === 400 ? -32_600 : status === 500 ? -32_603 : -32_000, code)
      assert.equal(error.message, failure.message)
      assert.deepEqual(error.data, { code, remedy: failure.remedy, retry: failure.retry })
      assert.equal(headers['retry-after'], status === 429 || status === 503 ? '7' : undefined, code)
      assert.equal(headers['www-authenticate'] !== undefined, status === 401, code)
      assert.equal(
        told.length - before,
        status === 500 ? 1 : 0,
        `${code}: the operator hears of what only they can mend`,
      )
    }
    failing = fail('CF12003')
    assert.equal((await send(port, { headers: bearer })).headers['retry-after'], '10')
    failing = new TypeError('a secret detail of the inside')
    const { status, body } = await send(port, { headers: bearer })
    assert.equal(status, 500)
    assert.equal(JSON.parse(body).error.data.code, 'CF9001')
    assert.doesNotMatch(body, /secret detail/)
  } finally {
    failing = null
  }
})

test('a service that is not in the catalog, and a method that no instance has, are said', async () => {
  const { port } = await startEdge()
  assert.equal(
    JSON.parse((await send(port, { path: `/${instance}/trello/`, headers: bearer })).body).error.data.code,
    'CF14003',
  )
  const put = await send(port, { method: 'PUT', headers: bearer })
  assert.equal(put.status, 405)
  assert.equal(put.headers['allow'], 'POST, GET, DELETE, OPTIONS')
})

test('oversize bodies are refused, declared or not, and encoded ones too', async () => {
  const { port, reached } = await startEdge()
  const declared = await send(port, {
    headers: { ...bearer, 'content-length': String(bodyBytesMax + 1) },
    body: 'x',
    unfinished: true,
  })
  assert.equal(declared.status, 413)
  const chunked = await send(port, {
    headers: { ...bearer, 'transfer-encoding': 'chunked' },
    body: 'x'.repeat(bodyBytesMax + 1),
  })
  assert.equal(chunked.status, 413)
  assert.equal((await send(port, { headers: { ...bearer, 'content-encoding': 'gzip' }, body: 'x' })).status, 415)
  assert.equal(reached.length, 0)
})

test('slow headers and slow bodies are cut off', async () => {
  const { port, reached } = await startEdge({ headersMs: 100, requestMs: 200, lookMs: 50 })
  const slowBody = await raw(port, [
    `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${token}\r\ncontent-length: 9\r\n\r\nab`,
  ])
  assert.match(slowBody, /^HTTP\/1\.1 408/)
  const slowHeaders = await raw(port, [`POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n`])
  assert.match(slowHeaders, /^HTTP\/1\.1 408/)
  assert.equal(reached.length, 0)
})

test('requests that two parsers could read in two ways are refused', async () => {
  const { port, reached } = await startEdge()
  const head = `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${token}\r\n`
  const smuggled = `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`
  for (const ambiguous of [
    `${head}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    `${head}content-length: 4\r\ncontent-length: 5\r\n\r\nabcde`,
    `${head}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n`,
    `${head}content-length: +4\r\n\r\nabcd`,
    `${head}content-length : 4\r\n\r\nabcd`,
    `${head}x: a\nb: c\r\n\r\n`,
    `POST ${path} HTTP/1.1\r\nauthorization: Bearer ${token}\r\ncontent-length: 0\r\n\r\n`,
  ]) {
    assert.match(await raw(port, [ambiguous]), /^HTTP\/1\.1 400/, ambiguous)
  }
  assert.equal(reached.length, 0)
})

interface Sent {
  method?: string
  path?: string
  headers?: Record<string, string>
  body?: string
  /** The body is not ended: the answer must come all the same. */
  unfinished?: boolean
}

async function send(
  port: number,
  sent: Sent,
): Promise<{ status: number; headers: Record<string, string>; body: string }> {
  const request = httpRequest({
    port,
    host: '127.0.0.1',
    method: sent.method ?? 'POST',
    path: sent.path ?? path,
    headers: { host: `127.0.0.1:${port}`, ...sent.headers },
    agent: false,
  })
  const answered = once(request, 'response') as Promise<[IncomingMessage]>
  // A refused body may reset the connection while it is still being written.
  request.on('error', () => undefined)
  if (sent.body !== undefined) request.write(sent.body)
  if (!sent.unfinished) request.end()
  const [response] = await answered
  const chunks: Buffer[] = []
  try {
    for await (const chunk of response) chunks.push(chunk as Buffer)
  } finally {
    request.destroy()
  }
  return {
    status: response.statusCode!,
    headers: response.headers as Record<string, string>,
    body: Buffer.concat(chunks).toString(),
  }
}

/** Writes the texts as they are and returns all that comes back until the server closes. */
async function raw(port: number, texts: readonly string[]): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  for (const text of texts) socket.write(text)
  let answer = ''
  socket.setEncoding('latin1')
  socket.on('data', (data) => {
    answer += data
  })
  socket.on('error', () => undefined)
  await once(socket, 'close')
  return answer
}
