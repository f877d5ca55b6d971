import type { MigrationId } from '@crossfade/model/ids.ts'
import { owner } from '@crossfade/routing/owner.ts'
import type { Routing } from '@crossfade/routing/routing.ts'
import type { ControlStore } from '../store.ts'
import type { FaultyProcess } from './faulty-process.ts'
import type { Ledger } from './ledger.ts'
import { fenced } from './model-database.ts'
import type { ModelWorld } from './model-plane.ts'

const restMs = 250
const retryMs = 15
/** A client may work with a routing that is this old. */
const routingMsMax = 1_500

export interface ModelClientOptions {
  readonly world: ModelWorld
  readonly process: FaultyProcess
  readonly store: ControlStore
  readonly migration: MigrationId
  readonly ledger: Ledger
  readonly keys: number
  readonly running: () => boolean
}

/** A program that writes all the time, one write after the other, each until it is acknowledged, wherever its (perhaps old) routing says that the key's owner is. */
export async function runModelClient(options: ModelClientOptions): Promise<void> {
  const { process, store, migration, ledger, keys, running } = options
  const { clock } = process
  let routing: Routing | null = null
  let readAt = 0
  for (let count = 1; running(); count += 1) {
    const key = `k${Math.floor(ledger.random.below(keys))}`
    const id = `${process.id}.${count}`
    ledger.begun(id, key)
    for (;;) {
      if (!routing || clock.now() - readAt > routingMsMax) {
        routing = await store.journal.routing(migration).catch(() => routing)
        readAt = clock.now()
      }
      if (routing) {
        const { shard, side, unit, fenced: held } = owner(routing, key)
        if (!held) {
          try {
            await write(options, shard, unit, side, key, id)
            ledger.acknowledged(id)
            break
          } catch {
            readAt = 0
          }
        } else readAt = 0
      }
      await clock.sleep(retryMs)
      // Nothing is promised to a write that was never acknowledged.
      if (!running()) return
    }
    await clock.sleep(ledger.random.below(restMs))
  }
}

async function write(
  { world, process, ledger }: ModelClientOptions,
  shard: string,
  unit: string,
  side: 'source' | 'target',
  key: string,
  id: string,
): Promise<void> {
  const database = world.databases.get(shard as never)!
  const broken = () => new Error('the connection broke')
  try {
    await process.call(() => database.beginWrite(unit, id), broken)
    await process.call(() => {
      // Committed only if it still runs: what was rolled back does not come back.
      if (!database.inFlight.has(id)) throw fenced
      database.commitWrite(key, id)
      ledger.committed(world, id, key, unit, side)
    }, broken)
  } finally {
    // A connection that breaks takes its transaction with it.
    database.inFlight.delete(id)
  }
}
