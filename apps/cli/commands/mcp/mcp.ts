import type { Register } from '../command.ts'
import { registerConnect } from './connect.ts'
import { registerHealth } from './health.ts'
import { registerImport } from './import.ts'
import { registerProcesses } from './processes.ts'
import { registerQuarantine } from './quarantine.ts'
import { registerRotateKeys } from './rotate-keys.ts'
import { registerServe } from './serve.ts'
import { registerServices } from './services.ts'

/** The commands of the MCP platform, below `crossfade mcp`. */
export const registerMcp: Register = (program, end) => {
  const mcp = program
    .command('mcp')
    .summary('serve MCP services to every user from one shared runtime')
    .description(
      'Serves MCP services to every user from shared processes: a user stores a key once and gets an instance URL.',
    )
  registerServe(mcp)
  registerServices(mcp)
  registerConnect(mcp)
  registerHealth(mcp, end)
  registerImport(mcp)
  registerRotateKeys(mcp, end)
  registerProcesses(mcp, end)
  registerQuarantine(mcp)
}
