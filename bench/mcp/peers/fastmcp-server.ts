// A peer: fastmcp with the tools that its `fromOpenAPI` makes of the same document. Says its port to its parent.
import { openapiDocument } from '../openapi-document.ts'
import { peerImport, peerSettings } from './settings.ts'

interface FastMcp {
  start(options: unknown): Promise<void>
}

const { origin, tools, programs } = peerSettings()
const { fromOpenAPI } = await peerImport<{ fromOpenAPI(options: unknown): Promise<FastMcp> }>(
  programs,
  'fastmcp/openapi',
)
const port = Number(process.env['PEER_PORT'])
const server = await fromOpenAPI({
  spec: openapiDocument(origin, tools),
  baseUrl: origin,
  headers: { 'x-api-key': 'bench' },
  maxTools: tools,
})
await server.start({ transportType: 'httpStream', httpStream: { port, host: '127.0.0.1', stateless: true } })
process.send!({ port })
process.on('disconnect', () => process.exit())
