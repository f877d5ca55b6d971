// The peers of the gateway, each made from the same operations, started in turn.
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { freePort } from '@crossfade/embedded/cluster.ts'
import { callBody, earlier, listBody, mcpHeaders } from './requests.ts'

/** What is installed for the benchmark alone, into a cache of this machine. */
export const peerPackages = {
  '@modelcontextprotocol/node': '2.1.2',
  'mcp-proxy': '6.7.19',
  fastmcp: '4.20.16',
} as const

export interface Peer {
  readonly name: string
  readonly origin: string
  readonly path: string
  headers(method: string, tool?: string): Record<string, string>
  readonly listBody: (n: number) => string
  readonly callBody: (n: number, tool: string) => string
  stop(): Promise<void>
}

const nodeFlags = ['--disable-warning=ExperimentalWarning']
const startMsMax = 20_000
const folder = join(import.meta.dirname, 'peers')
const modern = { headers: (method: string, tool?: string) => mcpHeaders(method, tool), listBody, callBody }
const before = { headers: () => earlier.headers(), listBody: earlier.listBody, callBody: earlier.callBody }

/** Each starts a peer with so many tools that call `origin`; `programs` is the folder that they are installed in. */
export const peerStarters: Readonly<
  Record<string, (origin: string, tools: number, programs: string) => Promise<Peer>>
> = {
  async 'SDK v2 createMcpHandler'(origin, tools, programs) {
    const child = fork(join(folder, 'sdk-server.ts'), [origin, String(tools), programs], { execArgv: nodeFlags })
    const [{ port }] = (await once(child, 'message')) as [{ port: number }]
    return peer('SDK v2 createMcpHandler', port, child, modern)
  },
  async 'fastmcp fromOpenAPI'(origin, tools, programs) {
    const port = await freePort()
    const child = fork(join(folder, 'fastmcp-server.ts'), [origin, String(tools), programs], {
      execArgv: nodeFlags,
      env: { ...process.env, PEER_PORT: String(port) },
      // It writes a line for each request.
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    await once(child, 'message')
    return peer('fastmcp fromOpenAPI', port, child, before)
  },
  async 'mcp-proxy'(origin, tools, programs) {
    const port = await freePort()
    const program = join(programs, 'node_modules', 'mcp-proxy', 'dist', 'bin', 'mcp-proxy.mjs')
    const options = [
      '--port',
      String(port),
      '--host',
      '127.0.0.1',
      '--server',
      'stream',
      '--stateless',
      '--upstreamProtocol',
      'auto',
    ]
    const behind = [process.execPath, ...nodeFlags, join(folder, 'stdio-server.ts'), origin, String(tools), programs]
    const child = spawn(process.execPath, [...nodeFlags, program, ...options, '--', ...behind], { stdio: 'ignore' })
    await listens(port)
    return peer('mcp-proxy', port, child, before)
  },
}

function peer(
  name: string,
  port: number,
  child: ChildProcess,
  era: Pick<Peer, 'headers' | 'listBody' | 'callBody'>,
): Peer {
  return {
    name,
    origin: `http://127.0.0.1:${port}`,
    path: '/mcp',
    ...era,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
  }
}

async function listens(port: number): Promise<void> {
  const until = performance.now() + startMsMax
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
    })
    socket.destroy()
    if (isOpen) return
    if (performance.now() > until) throw new Error(`nothing listens on port ${port} after ${startMsMax / 1_000} s`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
