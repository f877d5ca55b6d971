// What this machine can do at most: a plain `node:http` server that hands each call on to the upstream over undici, and answers each list with bytes that it has. No protocol, no
// token, no limits, nothing counted. In a process of its own; says its port to its parent.
import { createServer } from 'node:http'
import { Pool } from 'undici'

const [upstream, listBytes] = process.argv.slice(2)
const pool = new Pool(upstream!, { connections: 64, pipelining: 1 })
const listed = Buffer.alloc(Number(listBytes), 'x')

const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const body = Buffer.concat(chunks).toString()
    if (request.url === '/list') return answer(listed)
    const { params } = JSON.parse(body) as { params: { arguments: { id: string } } }
    const answered: Buffer[] = []
    pool.dispatch(
      { path: `/items1/${params.arguments.id}`, method: 'GET', headers: { 'x-api-key': 'bench' } },
      {
        onRequestStart() {},
        onResponseStart() {},
        onResponseData: (_controller, chunk) => void answered.push(chunk),
        onResponseEnd: () => answer(Buffer.concat(answered)),
        onResponseError: () => response.destroy(),
      },
    )
  })
  function answer(body: Buffer) {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length })
    response.end(body)
  }
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.send!({ port: typeof address === 'object' && address !== null ? address.port : 0 })
})
process.on('disconnect', () => process.exit())
