import { hostname } from 'node:os'
import { systemClock } from '@crossfade/model/clock.ts'
import { newWorkerId } from '@crossfade/model/ids.ts'
import type { CutoverHooks } from '@crossfade/tracks/contract/ports.ts'
import { dataTrack } from '@crossfade/tracks/data/track.ts'
import { alerts, type SendAlert } from './alerts.ts'
import { type EngineOptions, runEngineWorker } from './engine-worker.ts'
import { Governor } from './governor.ts'
import { observer } from './observer.ts'
import type { ControlStore } from './store.ts'

/** How many tasks of each kind a process runs at once. Streams wait most of their time, and schema work for locks and old transactions; a copy takes a core. */
export const defaultPlaces: EngineOptions['places'] = {
  reconcile: 16,
  stream: 32,
  copy: 2,
  'schema-work': 4,
  verify: 4,
  repair: 1,
  backup: 1,
}

export interface RunEngineOptions {
  readonly store: ControlStore
  readonly openDataPlane: EngineOptions['openDataPlane']
  readonly hooks: CutoverHooks
  readonly sendAlert?: SendAlert | undefined
  readonly places?: EngineOptions['places'] | undefined
}

/** Takes work from the control database in this process, with observation, throttle and alerts. Resolves once the signal has aborted and every task has come to a safe point. */
export function runEngine(
  { store, openDataPlane, hooks, sendAlert, places = defaultPlaces }: RunEngineOptions,
  signal: AbortSignal,
): Promise<void> {
  const governor = new Governor(store, systemClock)
  return runEngineWorker(
    {
      id: newWorkerId(hostname(), process.pid),
      store,
      clock: systemClock,
      track: dataTrack,
      openDataPlane,
      hooks,
      httpGet,
      beside: [observer(store, httpGet), ...(sendAlert ? [alerts(store, sendAlert)] : [])],
      throttle: (work, stop) => governor.of(work, stop),
      places,
      memoryBytes: () => process.memoryUsage.rss(),
    },
    signal,
  )
}

async function httpGet(url: string, timeoutMs: number): Promise<{ status: number; text: string }> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(timeoutMs), redirect: 'follow' })
  return { status: answer.status, text: await answer.text() }
}
