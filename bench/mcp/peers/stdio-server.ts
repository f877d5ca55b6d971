// What mcp-proxy stands in front of: the official SDK's server on standard input and output.
import { serveStdio } from '@modelcontextprotocol/server/stdio'
import { itemsServer } from './items-server.ts'
import { peerSettings } from './settings.ts'

const { origin, tools } = peerSettings()
serveStdio(() => itemsServer(origin, tools))
