// Everything that a worker is made of, put together; nothing decided.
import type { Edge } from '@crossfade/gateway/edge.ts'
import type { Logger } from 'pino'
import type { GatewayApi } from './api-parts.ts'
import { openHome } from './home.ts'
import { type ServedCatalog, serveCatalog } from './served-catalog.ts'
import { type Closing, openFoundation, openRuntime } from './worker-runtime.ts'
import type { WorkerSettings } from './worker-settings.ts'

export interface WorkerParts {
  readonly served: ServedCatalog
  readonly edge: Edge
  /** Loads the API; its libraries take the processor for some hundred milliseconds. Rejects with what keeps it from loading, and leaves nothing open then: it may be called again. */
  loadApi(): Promise<GatewayApi>
  /** Closes everything in the reverse of the order in which it was opened. Idempotent. */
  close(): Promise<void>
}

/** Opens every part of a worker, on `catalog` if it is open already. Rejects with the coded failure of the one that could not be; what was opened is closed then. */
export async function openWorkerParts(
  settings: WorkerSettings,
  logger: Logger,
  catalog: ServedCatalog | null = null,
): Promise<WorkerParts> {
  const closing: Closing = []
  try {
    const home = openHome(settings.directory)
    const served = catalog ?? (await serveCatalog(home, settings.onlyService))
    const foundation = await openFoundation(settings, home, served, closing, logger)
    const { edge, ...runtime } = await openRuntime(settings, served, foundation, closing, logger)
    const loadApi = async () => {
      const { openApi } = await import('./worker-api.ts')
      const ofApi: Closing = []
      try {
        const api = await openApi(settings, home, served, { ...foundation, ...runtime }, ofApi, logger)
        closing.push(() => closeAll(ofApi))
        return api
      } catch (error) {
        await closeAll(ofApi)
        throw error
      }
    }
    return { served, edge, loadApi, close: () => closeAll(closing) }
  } catch (error) {
    await closeAll(closing)
    throw error
  }
}

async function closeAll(closing: Closing): Promise<void> {
  for (const end of closing.splice(0).reverse()) await end()
}
