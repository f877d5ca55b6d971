// What mcp-proxy stands in front of: the official SDK's server on standard input and output, with tools that call the upstream.
import { fromJsonSchema, McpServer } from '@modelcontextprotocol/server'
import { serveStdio } from '@modelcontextprotocol/server/stdio'
import { peerSettings } from './settings.ts'

const { origin, tools } = peerSettings()
const inputSchema = fromJsonSchema<{ id: string }>({
  type: 'object',
  properties: { id: { type: 'string' } },
  required: ['id'],
})

serveStdio(() => {
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
