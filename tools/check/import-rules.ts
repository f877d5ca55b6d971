// Who may import whom, as data. Imports point down: apps → engine → tracks → {pipeline, routing, stages} → model.

/** A unit is a workspace: `packages/model`, `apps/cli`, `tools`. What is not listed here may import nothing of ours. */
export const allowedImports: Readonly<Record<string, readonly string[]>> = {
  'packages/model': [],
  'packages/stages': ['packages/model'],
  'packages/routing': ['packages/model'],
  'packages/pipeline': ['packages/model', 'packages/routing'],
  'packages/embedded': ['packages/model'],
  'packages/telemetry': ['packages/model'],
  // What the two servers' APIs have alike.
  'packages/http-api': ['packages/model'],
  'packages/postgres': ['packages/model', 'packages/pipeline', 'packages/routing'],
  'packages/client': ['packages/model', 'packages/routing'],
  'packages/plan': ['packages/model', 'packages/pipeline', 'packages/routing'],
  'packages/tracks': ['packages/model', 'packages/pipeline', 'packages/routing', 'packages/stages'],
  'packages/engine': ['packages/model', 'packages/pipeline', 'packages/routing', 'packages/stages', 'packages/tracks'],
  'packages/simulator': ['packages/model', 'packages/routing', 'packages/client', 'packages/embedded'],
  // The MCP platform. Its database knows only the model; the vault keeps its keys there.
  'packages/catalog': ['packages/model'],
  'packages/mcp-database': ['packages/model'],
  'packages/vault': ['packages/model', 'packages/mcp-database'],
  'packages/accounts': ['packages/model', 'packages/mcp-database'],
  'packages/mcp': ['packages/model', 'packages/catalog', 'packages/mcp-database', 'packages/vault'],
  // The HTTP edge: what stands between a socket and the runtime.
  'packages/gateway': ['packages/model', 'packages/catalog', 'packages/mcp'],
  // The console talks to the API alone; of the code it knows the shapes that the API answers with (see below).
  'apps/console': [],
  // `crossfade server` starts the server, and the commands that need one run it in their own process: the one place
  // where an app is part of another.
  'apps/cli': ['packages/*', 'apps/server', 'apps/gateway'],
  'apps/server': ['packages/*'],
  'apps/gateway': ['packages/*'],
  scenarios: ['packages/*', 'apps/cli', 'apps/server', 'apps/gateway'],
  // Takeovers and impact are measured on the worker process and the harness that the fault runs use; peers are installed by the tools.
  bench: ['packages/*', 'apps/cli', 'apps/server', 'apps/gateway', 'scenarios', 'tools'],
  examples: ['packages/*'],
  tools: ['packages/*', 'apps/cli', 'apps/server', 'apps/gateway'],
}

/** What may be imported as types alone, besides. */
export const allowedAsTypes: Readonly<Record<string, readonly string[]>> = {
  'apps/console': ['packages/model', 'packages/engine', 'packages/stages', 'apps/server', 'apps/gateway'],
}

/** What tests may import besides: real servers, and the programs set up for them. */
export const allowedInTests: readonly string[] = ['packages/embedded', 'tools']

/** The console's tests run the real server and engine, and look at them through a browser. */
export const allowedInTestsOf: Readonly<Record<string, readonly string[]>> = {
  'apps/console': ['packages/*', 'apps/server', 'apps/gateway'],
}

/** Files that exist for tests but are not tests themselves: same liberties. */
export function isTestFile(path: string): boolean {
  return /\.test\.tsx?$/.test(path) || /(^|[/-])testing[/.]/.test(path) || path.includes('/fixtures/')
}

/** Whether files of the unit `from` may import those of the unit `to`. */
export function isAllowed(from: string, to: string, how: { inTest: boolean; typeOnly: boolean }): boolean {
  if (from === to) return true
  const asTypes = how.typeOnly ? (allowedAsTypes[from] ?? []) : []
  const inTests = how.inTest ? [...allowedInTests, ...(allowedInTestsOf[from] ?? [])] : []
  const allowed = [...(allowedImports[from] ?? []), ...asTypes, ...inTests]
  return allowed.includes(to) || (to.startsWith('packages/') && allowed.includes('packages/*'))
}
