// docs/reference/openapi.json and openapi-mcp.json, from the routes of the servers.
import type { MigrationService } from '@crossfade/engine/contract.ts'
import { createApi } from '@crossfade/gateway-app/api.ts'
import type { ApiOptions } from '@crossfade/gateway-app/api-parts.ts'
import type { Planning } from '@crossfade/server/planning.ts'
import { createServer } from '@crossfade/server/server.ts'
import type { GeneratedFile } from './generators.ts'
import { projectVersion } from './version.ts'

/** The description that a running server answers with at /api/v1/openapi.json. */
export async function openapi(): Promise<GeneratedFile> {
  const app = await createServer({
    service: nothingBehind<MigrationService>(),
    planning: nothingBehind<Planning>(),
    access: { kind: 'local' },
    consoleDirectory: null,
    logger: false,
    version: projectVersion,
  })
  await app.ready()
  const content = `${JSON.stringify(app.swagger(), null, 2)}\n`
  await app.close()
  return { path: 'docs/reference/openapi.json', content }
}

/** The description that `crossfade mcp serve` answers with at /api/v1/openapi.json. */
export async function mcpOpenapi(): Promise<GeneratedFile> {
  const options = { accounts: { paths: [] }, metrics: null, signUp: true, version: projectVersion, logger: false }
  const app = await createApi({ ...options, baseUrl: 'http://127.0.0.1:7070' } as unknown as ApiOptions)
  await app.ready()
  const content = `${JSON.stringify(app.swagger(), null, 2)}\n`
  await app.close()
  return { path: 'docs/reference/openapi-mcp.json', content }
}

/** Describing the routes calls nothing behind them; should that change, this says so. */
function nothingBehind<Port extends object>(): Port {
  return new Proxy({} as Port, {
    get: (_, name) => () => {
      throw new Error(`the description of the API called ${String(name)}`)
    },
  })
}
