// docs/reference/openapi.json, from the routes of the server.
import type { MigrationService } from '@crossfade/engine/contract.ts'
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

/** Describing the routes calls nothing behind them; should that change, this says so. */
function nothingBehind<Port extends object>(): Port {
  return new Proxy({} as Port, {
    get: (_, name) => () => {
      throw new Error(`the description of the API called ${String(name)}`)
    },
  })
}
