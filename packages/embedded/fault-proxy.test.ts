import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, test } from 'node:test'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'

let echo: Server
let proxy: FaultProxy
let sockets: Socket[]
let received: number

beforeEach(async () => {
  received = 0
  sockets = []
  echo = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.on('data', (chunk) => (received += chunk.length))
    socket.pipe(socket)
  })
  echo.listen(0, '127.0.0.1')
  await once(echo, 'listening')
  proxy = await startFaultProxy({ target: { host: '127.0.0.1', port: (echo.address() as { port: number }).port } })
})

afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  await proxy.close()
  await proxy.close()
  echo.close()
})

async function open(): Promise<Socket> {
  const socket = connect(proxy.port, proxy.host)
  sockets.push(socket)
  await once(socket, 'connect')
  return socket
}

async function readBytes(socket: Socket, bytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  while (length < bytes) {
    const [chunk] = (await once(socket, 'data')) as [Buffer]
    chunks.push(chunk)
    length += chunk.length
  }
  return Buffer.concat(chunks)
}

/** The code of the error a socket ends with. */
async function endOf(socket: Socket): Promise<string | undefined> {
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
  return error.code
}

test('without faults every byte passes in order, and the end passes too', async () => {
  const socket = await open()
  const sent = Buffer.from(Uint8Array.from({ length: 3_000_000 }, (_, index) => (index * 31) % 251))
  const answer = readBytes(socket, sent.length)
  socket.end(sent)
  assert.equal((await answer).equals(sent), true)
  await once(socket, 'close')
  assert.equal(proxy.connections, 0)
})

test('cut resets what is open and refuses what comes, until restore', async () => {
  const socket = await open()
  socket.write('x')
  await readBytes(socket, 1)
  const end = endOf(socket)
  proxy.cut()
  assert.equal(await end, 'ECONNRESET')
  const refused = connect(proxy.port, proxy.host)
  assert.equal(await endOf(refused), 'ECONNRESET')
  proxy.restore()
  const again = await open()
  again.write('y')
  assert.equal((await readBytes(again, 1)).toString(), 'y')
})

test('cutOnce lets new connections through at once', async () => {
  const socket = await open()
  socket.write('x')
  await readBytes(socket, 1)
  const end = endOf(socket)
  proxy.cutOnce()
  assert.equal(await end, 'ECONNRESET')
  const again = await open()
  again.write('y')
  assert.equal((await readBytes(again, 1)).toString(), 'y')
})

test('a black hole takes bytes and delivers none; restore drops what was swallowed', async () => {
  const socket = await open()
  socket.write('x')
  await readBytes(socket, 1)
  proxy.blackhole()
  socket.write('lost')
  const other = await open()
  other.write('lost too')
  // Something that passes through the same event loop turns proves that the bytes had time to come.
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(received, 1)
  const end = endOf(socket)
  proxy.restore()
  assert.equal(await end, 'ECONNRESET')
})

test('half open: the target gets what was sent, the client gets no answer', async () => {
  const socket = await open()
  socket.write('x')
  await readBytes(socket, 1)
  proxy.halfOpen()
  let answers = 0
  socket.on('data', () => (answers += 1))
  socket.write('four')
  while (received < 5) await new Promise((resolve) => setTimeout(resolve, 5))
  const end = endOf(socket)
  proxy.restore()
  assert.equal(await end, 'ECONNRESET')
  assert.equal(answers, 0)
})

test('delay keeps the order, and bytes under way are delivered after restore', async () => {
  const socket = await open()
  proxy.delay(40)
  const started = performance.now()
  const sent = Array.from({ length: 50 }, (_, index) => String.fromCharCode(65 + (index % 26))).join('')
  const answer = readBytes(socket, sent.length)
  for (const letter of sent) socket.write(letter)
  while (received === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  const held = performance.now() - started
  proxy.restore()
  assert.equal(held >= 39, true, `held for ${held} ms`)
  assert.equal((await answer).toString(), sent)
})

test('cutAfterBytes delivers at most that many bytes, then cuts', async () => {
  const socket = await open()
  proxy.cutAfterBytes(100_000)
  let bytes = 0
  socket.on('data', (chunk) => (bytes += chunk.length))
  const end = endOf(socket)
  socket.write(Buffer.alloc(1_000_000))
  assert.equal(['ECONNRESET', 'EPIPE'].includes((await end) ?? ''), true)
  assert.equal(bytes <= 100_000, true)
  assert.equal(await endOf(connect(proxy.port, proxy.host)), 'ECONNRESET')
})

test('limitBytesPerSecond lets everything through in slices', async () => {
  const socket = await open()
  proxy.limitBytesPerSecond(100_000)
  let slices = 0
  socket.on('data', () => (slices += 1))
  const answer = readBytes(socket, 10_000)
  socket.write(Buffer.alloc(10_000, 7))
  assert.deepEqual(await answer, Buffer.alloc(10_000, 7))
  assert.equal(slices > 1, true)
})

test('a target that refuses connections ends the client, and retarget points elsewhere', async () => {
  const good = (echo.address() as { port: number }).port
  proxy.retarget({ host: '127.0.0.1', port: 1 })
  assert.equal(await endOf(connect(proxy.port, proxy.host)), 'ECONNRESET')
  proxy.retarget({ host: '127.0.0.1', port: good })
  const again = await open()
  again.write('y')
  assert.equal((await readBytes(again, 1)).toString(), 'y')
})
