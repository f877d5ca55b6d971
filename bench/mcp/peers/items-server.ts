import { fromJsonSchema, McpServer } from '@modelcontextprotocol/server'

const inputSchema = fromJsonSchema<{ id: string }>({
  type: 'object',
  properties: {
    id: { type: 'string', description: 'Which item' },
    fields: { type: 'array', items: { type: 'string' }, description: 'Only these' },
    limit: { type: 'integer', minimum: 1, maximum: 100, description: 'At most' },
  },
  required: ['id'],
})

/** A server of the official SDK, as its guide shows it, with so many tools that call the upstream by fetch. */
export function itemsServer(origin: string, tools: number): McpServer {
  const server = new McpServer({ name: 'items', version: '1' })
  for (let n = 0; n < tools; n += 1) {
    const description = `Reads an item of kind ${n}. Gives name, tags, price and availability of one item.`
    server.registerTool(`getItem${n}`, { description, inputSchema }, async ({ id }) => {
      const url = `${origin}/items${n}/${encodeURIComponent(id)}`
      const answer = await fetch(url, { headers: { 'x-api-key': 'bench' } })
      return { content: [{ type: 'text', text: await answer.text() }] }
    })
  }
  return server
}
