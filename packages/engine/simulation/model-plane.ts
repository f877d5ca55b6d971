import type { Clock } from '@crossfade/model/clock.ts'
import { fail } from '@crossfade/model/failure.ts'
import { asEpoch, type ShardId } from '@crossfade/model/ids.ts'
import { asLsn, type Lsn, minLsn } from '@crossfade/model/lsn.ts'
import { otherSide, type Side } from '@crossfade/model/stage.ts'
import type {
  Chunk,
  DataPlane,
  FencePoint,
  SnapshotReference,
  StreamObserver,
  TaskContext,
  VerificationRange,
} from '@crossfade/pipeline/data-plane.ts'
import type { ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import { route } from '@crossfade/routing/route.ts'
import type { Change, ModelDatabase, Row, Sabotage } from './model-database.ts'

/** How the process that uses the plane reaches the databases: `call` puts a wait before and after each effect, and lets it fail. */
export interface ModelAccess {
  readonly clock: Clock
  readonly alive: () => boolean
  call<T>(database: ModelDatabase, effect: () => T): Promise<T>
  /** The same, with its effect at once: for what carries no epoch, and is short. */
  act<T>(database: ModelDatabase, effect: () => T): Promise<T>
}

export interface ModelWorld {
  readonly plan: ResolvedPlan
  readonly databases: ReadonlyMap<ShardId, ModelDatabase>
  readonly sabotage: Sabotage | null
  /** Grows with each snapshot, so that names are never used again. */
  snapshots: number
}

const noFloor = { lease: asEpoch(0), routing: asEpoch(0) }
const keysPerChunk = 3
const followMs = 90
const fenceLookMs = 5

/** A data plane over model databases, for one process. */
export function modelPlane(world: ModelWorld, access: ModelAccess): DataPlane {
  const { plan } = world
  const all = (side: Side) => plan[side].shards.map((shard) => world.databases.get(shard.id)!)
  const on = <T>(side: Side, effect: (database: ModelDatabase) => T) =>
    Promise.all(all(side).map((database) => access.call(database, () => effect(database))))
  const actOn = <T>(side: Side, effect: (database: ModelDatabase) => T) =>
    Promise.all(all(side).map((database) => access.act(database, () => effect(database))))
  const ownerOn = (side: Side, key: string) => world.databases.get(route(plan[side].topology, key))!

  return {
    infrastructure: {
      async createControlSchema(side, floor = noFloor) {
        await actOn(side, (database) => {
          database.control ??= { floor: { ...noFloor }, leases: new Map(), positions: new Map(), chunks: new Set() }
          database.control.floor.lease = Math.max(database.control.floor.lease, floor.lease)
          database.control.floor.routing = Math.max(database.control.floor.routing, floor.routing)
        })
      },
      async createSchema() {
        await actOn('target', (database) => {
          database.controlOrFail()
          database.createdTables = true
        })
        return []
      },
      schemaWork: async () => [],
      runSchemaWork: async () => undefined,
      compareSchemas: async () => [],
      async createSlots(side) {
        await actOn(side, (database) => {
          database.controlOrFail()
          database.slot ??= { confirmed: database.lsn }
        })
      },
      async dropSlots(side) {
        await actOn(side, (database) => {
          if (world.sabotage !== 'leave-slot') database.slot = null
        })
      },
      async removeAll(side) {
        await actOn(side, (database) => database.removeAll())
      },
      async dropCreatedSchema() {
        await actOn('target', (database) => database.dropCreatedTables())
      },
      leftovers: async (side) => (await actOn(side, (database) => database.leftovers())).flat(),
      async archiveSource() {
        await actOn('source', (database) => {
          database.archived = true
        })
      },
      backup: async () => ({ path: '/backup', bytes: 1, drilled: false }),
    },
    snapshots: {
      async chunks(source) {
        const keys = keysOf(plan, source)
        return Array.from({ length: Math.ceil(keys.length / keysPerChunk) }, (_, index) =>
          chunkOf(plan, source, index, keys.length),
        )
      },
      async open(source) {
        const database = world.databases.get(source)!
        return access.call(database, () => {
          database.controlOrFail()
          world.snapshots += 1
          const name = `snapshot ${world.snapshots}`
          const lsn = database.lsn
          database.slot ??= { confirmed: lsn }
          database.snapshots.set(name, { rows: new Map(database.rows), lsn, alive: access.alive })
          return {
            name,
            lsn,
            generation: world.snapshots,
            lost: new Promise<never>(() => undefined),
            close: async () => {
              database.snapshots.delete(name)
            },
          }
        })
      },
      copy: (chunk, snapshot, context) => copyChunk(world, access, ownerOn, chunk, snapshot, context),
      async copied() {
        const [first] = await on('target', (database) => new Set(database.control?.chunks ?? []))
        return first ?? new Set()
      },
    },
    streams: {
      follow: (from, context, observer) => follow(world, access, from, context, observer),
      applied: async (from) => appliedOf(world, from),
    },
    verification: {
      ranges: async () => [{ id: 'all', table: plan.tables[0]!.source, from: null, to: null, estimatedRows: 1 }],
      async verify(range: VerificationRange, context: TaskContext) {
        await access.clock.sleep(20, context.signal)
        return {
          table: range.table,
          rows: 1,
          bytes: 1,
          digest: '1',
          chunks: 1,
          rechecks: 0,
          milliseconds: 1,
          mismatches: [],
          mismatchCount: 0,
        }
      },
      repair: async () => [],
    },
    cutover: {
      async prepare(from) {
        await actOn(from, (database) => {
          database.controlOrFail()
          database.fencesInstalled = true
        })
      },
      longTransactions: async () => [],
      fence: (from, units, epoch) => fence(world, access, databasesOfUnits(world, from, units), units, epoch),
      async unfence(side, units, epoch) {
        const outcomes = await Promise.allSettled(
          databasesOfUnits(world, side, units).map((database) =>
            access.call(database, () => database.setFence(units, epoch, false)),
          ),
        )
        const failed = outcomes.find((outcome) => outcome.status === 'rejected')
        if (failed?.status === 'rejected') throw failed.reason
      },
      async carrySequences(from, to) {
        const values = await on(from, (database) => database.sequence)
        await on(to, (database) => {
          database.sequence = Math.max(database.sequence, ...values) + plan.cutover.sequenceMargin
        })
      },
    },
    observation: {
      shardHealth: async () => ({
        reachable: true,
        activeBackends: 1,
        sizeBytes: 1,
        walHeldBytes: 0,
        slotActive: true,
        slotLost: false,
      }),
      flushedLsn: async (shard) => world.databases.get(shard)!.lsn,
      probe: async () => ({ latencyMs: 1, value: 1 }),
    },
    close: async () => undefined,
  }
}

async function copyChunk(
  world: ModelWorld,
  access: ModelAccess,
  ownerOn: (side: Side, key: string) => ModelDatabase,
  chunk: Chunk,
  reference: SnapshotReference,
  context: TaskContext,
): Promise<{ rows: number; bytes: number }> {
  const source = world.databases.get(chunk.source)!
  const rows = await access.call(source, () => {
    const snapshot = source.snapshots.get(reference.name)
    if (!snapshot?.alive()) throw fail('CF3001', { shard: chunk.source })
    return keysOf(world.plan, chunk.source)
      .slice(chunk.fromPage, chunk.toPage ?? undefined)
      .flatMap((key) => (snapshot.rows.has(key) ? [[key, snapshot.rows.get(key)!] as const] : []))
  })
  for (const { id } of world.plan.target.shards) {
    const target = world.databases.get(id)!
    const own = rows.filter(([key]) => ownerOn('target', key) === target)
    await access.call(target, () => {
      if (target.controlOrFail().chunks.has(chunk.id) && world.sabotage !== 'skip-lease-epoch') return
      target.writeWithEpoch(context.lease, context.epoch, own, { chunk: chunk.id })
    })
  }
  return { rows: rows.length, bytes: rows.length * 100 }
}

/** Reads the log after the slot's confirmed position, applies what the clients wrote, and acknowledges what is applied everywhere. */
async function follow(
  world: ModelWorld,
  access: ModelAccess,
  from: ShardId,
  context: TaskContext,
  observer: StreamObserver,
): Promise<void> {
  const { plan, sabotage } = world
  const origin = world.databases.get(from)!
  const others = plan[otherSide(origin.side)].shards.map((shard) => world.databases.get(shard.id)!)
  const name = `stream ${from}`
  let { from: position, changes } = await access.call(origin, () => readLog(origin))
  let rowsApplied = 0
  while (!context.signal.aborted) {
    const batch = changes.slice(0, plan.changes.batchRowsMax)
    const reached = batch.at(-1)?.lsn ?? position
    const wanted = batch.filter((change) => !change.marked)
    if (sabotage === 'acknowledge-received' && batch.length > 0) {
      await access.call(origin, () => acknowledge(origin, reached))
    }
    for (const target of others) {
      const own = wanted.filter((change) => route(plan[target.side].topology, change.key) === target.id)
      if (own.length === 0 && batch.length === 0) continue
      const rows = own.map((change): readonly [string, Row] => [change.key, change.row])
      if (sabotage === 'position-ahead') {
        const known = await access.call(target, () => {
          if ((target.controlOrFail().positions.get(name) ?? 0n) >= reached) return true
          target.writeWithEpoch(context.lease, context.epoch, [], { position: [name, reached] })
          return false
        })
        if (rows.length > 0 && !known)
          await access.call(target, () => target.writeWithEpoch(context.lease, context.epoch, rows, {}))
        continue
      }
      await access.call(target, () => {
        // What an earlier holder has applied already is not applied again: the row may have moved on.
        const applied = target.controlOrFail().positions.get(name) ?? 0n
        if (applied >= reached && sabotage !== 'skip-lease-epoch') return
        target.writeWithEpoch(context.lease, context.epoch, rows, { position: [name, reached] })
      })
      rowsApplied += rows.length
    }
    position = reached
    // What is still behind is read together with the position, so that "nothing behind" is true of one moment.
    const read = await access.call(origin, () => {
      if (sabotage !== 'acknowledge-received') acknowledge(origin, reached)
      return { lsn: origin.lsn, changes: origin.log.filter((change) => change.lsn > reached) }
    })
    changes = read.changes
    if (changes.length === 0) position = read.lsn
    const proven = sabotage === 'flip-before-drain' ? asLsn(read.lsn + 1_000n) : position
    observer.status({
      received: read.lsn,
      applied: position,
      proven,
      lagMs: changes.length * 10,
      lagBytes: Number(read.lsn - position),
      rowsPerSecond: 0,
      rowsApplied,
      transactionsApplied: rowsApplied,
      touched: 0,
      mismatches: [],
    })
    if (changes.length === 0) await access.clock.sleep(followMs, context.signal)
  }
}

function readLog(origin: ModelDatabase): { from: Lsn; changes: readonly Change[] } {
  if (!origin.slot) throw fail('CF6007', { where: origin.id, reason: 'there is no slot' })
  const from = origin.slot.confirmed
  return { from, changes: origin.log.filter((change) => change.lsn > from) }
}

function acknowledge(origin: ModelDatabase, position: Lsn): void {
  if (!origin.slot) throw fail('CF6007', { where: origin.id, reason: 'the slot is gone' })
  if (position > origin.slot.confirmed) origin.slot.confirmed = position
}

/** All or none: takes every database's lock, then closes them; one that can't be had, or is told of a newer epoch, sends all back. */
async function fence(
  world: ModelWorld,
  access: ModelAccess,
  databases: readonly ModelDatabase[],
  units: readonly ShardId[],
  epoch: number,
): Promise<readonly FencePoint[]> {
  const closed: ModelDatabase[] = []
  try {
    const until = access.clock.now() + world.plan.cutover.fenceLockMsMax
    const points: FencePoint[] = []
    for (const database of databases) {
      for (;;) {
        const point = await access.call(database, () => {
          if (!database.isQuiet(units)) return null
          database.setFence(units, epoch, true)
          return { shard: database.id, lsn: database.lsn }
        })
        if (point) {
          points.push(point)
          closed.push(database)
          break
        }
        if (access.clock.now() > until) throw fail('CF5101', { shard: database.id })
        await access.clock.sleep(fenceLookMs)
      }
    }
    return points
  } catch (error) {
    for (const database of closed)
      await access.call(database, () => database.setFence(units, epoch, false)).catch(() => undefined)
    throw error
  }
}

/** Where the units' writes arrive on a side: on the source the units themselves, on the target any shard. */
function databasesOfUnits(world: ModelWorld, side: Side, units: readonly ShardId[]): readonly ModelDatabase[] {
  const ids = side === 'source' ? units : world.plan.target.shards.map((shard) => shard.id)
  return ids.map((id) => world.databases.get(id)!)
}

function appliedOf(world: ModelWorld, from: ShardId): Lsn {
  const origin = world.databases.get(from)!
  const positions = world.plan[otherSide(origin.side)].shards.map(
    (shard) => world.databases.get(shard.id)!.control?.positions.get(`stream ${from}`) ?? 0n,
  )
  return minOf(positions)
}

function minOf(positions: readonly bigint[]): Lsn {
  return positions.map(asLsn).reduce(minLsn)
}

function keysOf(plan: ResolvedPlan, source: ShardId): readonly string[] {
  const { topology } = plan.source
  return topology.kind === 'directory'
    ? Object.keys(topology.entries).filter((key) => topology.entries[key] === source)
    : []
}

function chunkOf(plan: ResolvedPlan, source: ShardId, index: number, keys: number): Chunk {
  const table = plan.tables[0]!.source
  const from = index * keysPerChunk
  const to = from + keysPerChunk
  return {
    id: `${source} public.item ${index}`,
    source,
    table,
    leaf: table,
    fromPage: from,
    toPage: to >= keys ? null : to,
    estimatedRows: keysPerChunk,
    estimatedBytes: keysPerChunk * 100,
  }
}
