// A peer: the official SDK's handler. Says its port to its parent.
import { createServer } from 'node:http'
import { createMcpHandler } from '@modelcontextprotocol/server'
import { itemsServer } from './items-server.ts'
import { peerImport, peerSettings } from './settings.ts'

const { origin, tools, programs } = peerSettings()
const { toNodeHandler } = await peerImport<{
  toNodeHandler: (handler: unknown) => (request: unknown, response: unknown) => void
}>(programs, '@modelcontextprotocol/node')

const handler = createMcpHandler(() => itemsServer(origin, tools))
const server = createServer(toNodeHandler(handler) as never)
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.send!({ port: typeof address === 'object' && address !== null ? address.port : 0 })
})
process.on('disconnect', () => process.exit())
