import { hostname } from 'node:os'
import { runEngineWorker } from '@crossfade/engine/engine-worker.ts'
import type { ControlStore } from '@crossfade/engine/store.ts'
import { systemClock } from '@crossfade/model/clock.ts'
import { invariant } from '@crossfade/model/failure.ts'
import { newWorkerId } from '@crossfade/model/ids.ts'
import { dataTrack } from '@crossfade/tracks/data/track.ts'

export interface RunningEngine {
  /** Resolves when every task has come to a safe point. */
  stop(): Promise<void>
}

/** Takes work from the control database in this process, on the real databases of each migration's plan. */
export function startEngine(store: ControlStore): RunningEngine {
  const stop = new AbortController()
  const running = runEngineWorker(
    {
      id: newWorkerId(hostname(), process.pid),
      store,
      clock: systemClock,
      track: dataTrack,
      openDataPlane: async () => {
        invariant(false, 'no data plane')
      },
      hooks: { run: async () => {} },
      httpGet,
      beside: [],
      throttle: () => async () => {},
      places: { reconcile: 4, stream: 16, copy: 2, 'schema-work': 2, verify: 2, repair: 1, backup: 1 },
      memoryBytes: () => process.memoryUsage.rss(),
    },
    stop.signal,
  )
  return {
    async stop() {
      stop.abort(new Error('the worker stops'))
      await running
    },
  }
}

async function httpGet(url: string, timeoutMs: number): Promise<{ status: number; text: string }> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(timeoutMs), redirect: 'follow' })
  return { status: answer.status, text: await answer.text() }
}
