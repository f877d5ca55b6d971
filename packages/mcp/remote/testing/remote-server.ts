// A real MCP server on the loopback interface, made with the SDK, for the tests of remote services.
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { createMcpHandler, Server, type Tool } from '@modelcontextprotocol/server'
import type { DigestedDefinition, Pin, PinStore } from '../tool-pins.ts'

export interface RemoteServer {
  readonly url: string
  readonly host: string
  /** What it tells of its tools; may be changed between calls. */
  tools: Tool[]
  readonly requests: { readonly method: string; readonly headers: IncomingHttpHeaders; readonly body: string }[]
  /** Answers instead of the server when it gives a status. */
  refuse: (headers: IncomingHttpHeaders, body: string) => number | null
  /** Where redirects lead. */
  location: string
  /** What a tool answers. */
  answer: (name: string, values: Record<string, unknown>, headers: IncomingHttpHeaders) => Promise<string> | string
  close(): Promise<void>
}

export async function startRemoteServer(): Promise<RemoteServer> {
  const sockets = new Set<Socket>()
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', async () => {
      const body = Buffer.concat(chunks).toString()
      const { method = '', headers } = request
      remote.requests.push({ method, headers, body })
      const status = remote.refuse(headers, body)
      if (status !== null) {
        response.writeHead(status, { location: remote.location }).end(`refused ${headers.authorization}`)
        return
      }
      const factory = () => {
        const mcp = new Server({ name: 'remote', version: '1' }, { capabilities: { tools: {} } })
        mcp.setRequestHandler('tools/list', () => ({ tools: remote.tools }))
        mcp.setRequestHandler('tools/call', async ({ params }) => {
          const text = await remote.answer(params.name, params.arguments ?? {}, headers)
          return { content: [{ type: 'text', text }] }
        })
        return mcp
      }
      const asked = new Request(`http://${headers.host}${request.url}`, {
        method,
        headers: headers as Record<string, string>,
        ...(method === 'POST' ? { body } : {}),
      })
      const answer = await createMcpHandler(factory).fetch(asked)
      response.writeHead(answer.status, Object.fromEntries(answer.headers))
      if (answer.body !== null) for await (const chunk of answer.body) response.write(chunk)
      response.end()
    })
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const remote: RemoteServer = {
    url: `http://127.0.0.1:${port}/mcp`,
    host: `127.0.0.1:${port}`,
    tools: [],
    requests: [],
    refuse: () => null,
    location: 'http://127.0.0.1:9/elsewhere',
    answer: (name) => `${name} did`,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return remote
}

/** The rules of the database's store, in memory. */
export function memoryPins(): PinStore & { approve(serviceType: string, toolName: string, digest: string): boolean } {
  const services = new Map<string, Pin[]>()
  const find = (serviceType: string) => services.get(serviceType) ?? []
  return {
    load: async (serviceType) => find(serviceType),
    async save(serviceType: string, tools: readonly DigestedDefinition[], acceptNew: boolean) {
      const isFirst = find(serviceType).length === 0
      for (const { name, digest } of tools) {
        const pins = find(serviceType)
        if (pins.some((pin) => pin.toolName === name && pin.digest === digest)) continue
        const isNew = !pins.some((pin) => pin.toolName === name)
        const state = isFirst || (acceptNew && isNew) ? 'pinned' : 'quarantined'
        const kept = pins.filter((pin) => pin.toolName !== name || pin.state !== 'quarantined')
        services.set(serviceType, [...kept, { toolName: name, digest, state }])
      }
    },
    approve(serviceType, toolName, digest) {
      const pins = find(serviceType)
      if (!pins.some((pin) => pin.toolName === toolName && pin.digest === digest && pin.state === 'quarantined'))
        return false
      const others = pins.filter((pin) => pin.toolName !== toolName)
      services.set(serviceType, [...others, { toolName, digest, state: 'pinned' }])
      return true
    },
  }
}
