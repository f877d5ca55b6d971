// The upstream of the benchmarks: a plain HTTP server that answers a small JSON object, in a process of its own. Says its port to its parent.
import { createServer } from 'node:http'

const server = createServer((request, response) => {
  const body = Buffer.from(
    JSON.stringify({ item: request.url, name: 'an item', tags: ['first', 'second'], price: 12.5, available: true }),
  )
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length })
  response.end(body)
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.send!({ port: typeof address === 'object' && address !== null ? address.port : 0 })
})
process.on('disconnect', () => process.exit())
