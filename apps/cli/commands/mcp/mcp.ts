import type { Register } from '../command.ts'
import { registerConnect } from './connect.ts'
import { registerHealth } from './health.ts'
import { registerImport } from './import.ts'
import { mcpCommand } from './mcp-command.ts'
import { registerProcesses } from './processes.ts'
import { registerQuarantine } from './quarantine.ts'
import { registerRotateKeys } from './rotate-keys.ts'
import { registerServe } from './serve.ts'
import { registerServices } from './services.ts'
import { registerUpstreamClients } from './upstream-clients.ts'
import { registerUsers } from './users.ts'

/** The commands of the MCP platform, below `crossfade mcp`. */
export const registerMcp: Register = (program, end) => {
  const mcp = mcpCommand(program)
  registerServe(mcp)
  registerServices(mcp)
  registerConnect(mcp)
  registerHealth(mcp, end)
  registerImport(mcp)
  registerRotateKeys(mcp, end)
  registerProcesses(mcp, end)
  registerQuarantine(mcp)
  registerUpstreamClients(mcp)
  registerUsers(mcp)
}
