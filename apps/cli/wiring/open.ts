import type { MigrationService } from '@crossfade/engine/contract.ts'
import { openControlStore } from '@crossfade/engine/control-database.ts'
import { createMigrationService } from '@crossfade/engine/service.ts'
import { systemClock } from '@crossfade/model/clock.ts'
import { dataTrack } from '@crossfade/tracks/data/track.ts'
import { openControl } from './control.ts'
import type { EngineSettings, RunningEngine } from './engine.ts'
import type { ServeOptions, Serving } from './serve.ts'

export interface OpenOptions {
  /** URL of the control database; else CROSSFADE_CONTROL_URL, else an embedded one. */
  readonly control?: string | undefined
  /** Where an embedded control database lives; default: the working directory. */
  readonly directory?: string | undefined
}

export interface OpenCrossfade {
  readonly service: MigrationService
  /** Takes work in this process from now on, until `close`. Idempotent. */
  work(settings?: EngineSettings): Promise<void>
  /** Serves the REST API and the console until `close` of it, or of this. */
  serve(options: ServeOptions): Promise<Serving>
  /** Ends what this process does, orderly: tasks come to a safe point, leases are given back. Idempotent. */
  close(): Promise<void>
}

/** Puts the parts together: control database, service and, when asked to, the engine on real databases and the server. */
export async function openCrossfade(options: OpenOptions): Promise<OpenCrossfade> {
  const control = await openControl(options.control, options.directory)
  const store = await openControlStore(control.url).catch(async (error: unknown) => {
    await control.release()
    throw error
  })
  const service = createMigrationService({ store, clock: systemClock, track: dataTrack })
  const servers = new Set<Serving>()
  let engine: RunningEngine | null = null
  let closed: Promise<void> | null = null
  return {
    service,
    async work(settings) {
      // Only those who work pay for loading the engine's parts.
      const { startEngine } = await import('./engine.ts')
      engine ??= startEngine(store, settings)
    },
    async serve(serveOptions) {
      // Only those who serve pay for loading the server.
      const { serve } = await import('./serve.ts')
      const serving = await serve(service, serveOptions)
      servers.add(serving)
      return serving
    },
    close() {
      closed ??= (async () => {
        await Promise.all([...servers].map((server) => server.close()))
        await engine?.stop()
        await store.close()
        await control.release()
      })()
      return closed
    },
  }
}
