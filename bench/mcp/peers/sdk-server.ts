// A peer: the official SDK's handler, as its guide shows it, with tools that call the upstream by fetch. Says its port to its parent.
import { createServer } from 'node:http'
import { createMcpHandler, fromJsonSchema, McpServer } from '@modelcontextprotocol/server'
import { peerImport, peerSettings } from './settings.ts'

const { origin, tools, programs } = peerSettings()
const { toNodeHandler } = await peerImport<{
  toNodeHandler: (handler: unknown) => (request: unknown, response: unknown) => void
}>(programs, '@modelcontextprotocol/node')

const inputSchema = fromJsonSchema<{ id: string }>({
  type: 'object',
  properties: {
    id: { type: 'string', description: 'Which item' },
    fields: { type: 'array', items: { type: 'string' }, description: 'Only these' },
    limit: { type: 'integer', minimum: 1, maximum: 100, description: 'At most' },
  },
  required: ['id'],
})

const handler = createMcpHandler(() => {
  const server = new McpServer({ name: 'items', version: '1' })
  for (let n = 0; n < tools; n += 1) {
    server.registerTool(
      `getItem${n}`,
      { description: `Reads an item of kind ${n}. Gives name, tags, price and availability of one item.`, inputSchema },
      async ({ id }) => {
        const answer = await fetch(`${origin}/items${n}/${encodeURIComponent(id)}`, {
          headers: { 'x-api-key': 'bench' },
        })
        return { content: [{ type: 'text', text: await answer.text() }] }
      },
    )
  }
  return server
})
const server = createServer(toNodeHandler(handler) as never)
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.send!({ port: typeof address === 'object' && address !== null ? address.port : 0 })
})
process.on('disconnect', () => process.exit())
