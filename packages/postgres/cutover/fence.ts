import { systemClock } from '@crossfade/model/clock.ts'
import { Failure, fail, reasonOf } from '@crossfade/model/failure.ts'
import type { Epoch, MigrationId, ShardId } from '@crossfade/model/ids.ts'
import type { Side } from '@crossfade/model/stage.ts'
import type { FencePoint } from '@crossfade/pipeline/data-plane.ts'
import type { ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import type pg from 'pg'
import { cutOff } from '../connection/connect.ts'
import { codeOf } from '../connection/connection-failure.ts'
import { isConnectionLoss, isTransient } from '../connection/transient.ts'
import type { CriticalConnections } from './critical-connections.ts'
import {
  armSql,
  createTriggersSql,
  disarmSql,
  dropTriggersSql,
  fenceFunctionNames,
  fenceFunctionsSql,
  fenceStateName,
  fenceStateSql,
  fenceTableSql,
} from './fence-ddl.ts'
import { type FenceSite, fenceSites } from './fence-site.ts'
import { armInTransaction, fencedUnits, lockFences, openUnits, unarmed } from './fence-transaction.ts'

/** How long one try at a trigger's lock may keep writers of that table waiting, outside of a cutover. */
const quietLockMsMax = 20
/** Tries at it, and the rest between them. */
const quietTriesMax = 200
const quietRestMs = 25
/** Tries at taking back a fence that could not be closed everywhere, and the rest between them. */
const undoTriesMax = 20
const undoRestMs = 100

/** What a fence may take beyond the waiting for locks, before the database counts as silent. */
const answerMsMax = 2_000

/** Where a fence is just now; tests break connections there. */
export type FenceStep = 'begin' | 'armed' | 'commit' | 'committed'
export type FenceObserver = (step: FenceStep, shard: ShardId) => Promise<void>

export interface FenceOptions {
  readonly plan: ResolvedPlan
  readonly migration: MigrationId
  readonly connections: CriticalConnections
  readonly observe?: FenceObserver
}

/** The fences of one migration on all its databases. Their state is in the databases; any process may go on where another stopped. */
export class Fences {
  readonly #options: FenceOptions
  readonly #disarming = new Map<ShardId, Promise<void>>()

  constructor(options: FenceOptions) {
    this.#options = options
  }

  /**
   * Installs table, functions and disabled triggers on every database where the units' writes arrive. Idempotent. Never makes a writer wait longer than 20 ms;
   * rejects with CF5104 (retryable) when a table stays too busy for that.
   */
  async prepare(side: Side, units: readonly ShardId[]): Promise<void> {
    const { plan, migration, connections } = this.#options
    await Promise.all(
      fenceSites(plan, side, units).map((site) =>
        connections.use(site.shard, (client) => install(client, migration, site)),
      ),
    )
  }

  /**
   * Fences the units on all databases or on none. Idempotent: what is fenced already stays so and gives a new (later) point.
   * Rejects with CF5101 (locks, retryable, nothing has changed), CF5102 (stale epoch), CF5105 (a database failed, undone everywhere),
   * CF5103 (and the undo failed on some: call `unfence` until it succeeds).
   */
  async fence(side: Side, units: readonly ShardId[], epoch: Epoch, owner: string): Promise<readonly FencePoint[]> {
    const { plan, migration, connections } = this.#options
    const sites = fenceSites(plan, side, units)
    const change = { migration, epoch, owner, lockMsMax: plan.cutover.fenceLockMsMax }
    const together = new Together(sites.length)
    const outcomes = await Promise.all(
      sites.map((site) =>
        connections
          .use(site.shard, (client) => this.#fenceSite(client, site, change, together))
          .catch(asTrouble(site, together)),
      ),
    )
    const trouble = outcomes.find((outcome) => 'trouble' in outcome)
    if (!trouble || !('trouble' in trouble))
      return outcomes.flatMap((outcome) => ('point' in outcome ? [outcome.point] : []))
    await this.#undo(sites, outcomes, epoch)
    for (const site of sites) this.#disarmLater(site)
    throw trouble.trouble
  }

  /** Does all of a fence that can be done while everybody writes, so that `fence` itself is quick: enables the triggers, which let everything pass until then. */
  async preArm(side: Side, units: readonly ShardId[]): Promise<void> {
    const { plan, migration, connections } = this.#options
    await Promise.all(
      fenceSites(plan, side, units).map((site) =>
        connections.use(site.shard, (client) => preArm(client, migration, site)),
      ),
    )
  }

  /** Opens the units on every database of the side. Idempotent. All are tried; rejects with the first failure, and is then to be called again. */
  async unfence(side: Side, units: readonly ShardId[], epoch: Epoch): Promise<void> {
    const { plan, migration, connections } = this.#options
    const outcomes = await Promise.allSettled(
      fenceSites(plan, side, units).map(async (site) => {
        const open = await connections.use(site.shard, (client) =>
          openUnits(client, site, site.units, { migration, epoch }),
        )
        if (open) this.#disarmLater(site)
      }),
    )
    const failed = outcomes.find((outcome) => outcome.status === 'rejected')
    if (failed) throw coded(failed.reason, 'a database')
  }

  /** Removes everything that `prepare` made on the side. Idempotent. */
  async remove(side: Side): Promise<void> {
    const { plan, migration, connections } = this.#options
    const units = plan.source.shards.map((shard) => shard.id)
    await this.settled()
    await Promise.all(
      fenceSites(plan, side, units).map((site) =>
        connections.use(site.shard, (client) => removeFences(client, migration, site)),
      ),
    )
  }

  /** Resolves when no trigger is being disabled in the background any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#disarming.values())
  }

  async #fenceSite(
    client: pg.Client,
    site: FenceSite,
    change: Parameters<typeof armInTransaction>[2],
    together: Together,
  ): Promise<SiteOutcome> {
    const observe = this.#options.observe ?? (async () => {})
    let committing = false
    let added: readonly ShardId[] = site.units
    // A database that stops answering must not keep the others' tables locked.
    let gone: Failure | null = null
    const watch = () =>
      setTimeout(() => {
        gone = fail('CF5105', { shard: site.shard, reason: `no answer within ${change.lockMsMax + answerMsMax} ms` })
        together.giveUp(gone)
        cutOff(client)
      }, change.lockMsMax + answerMsMax)
    let silent = watch()
    const beforeLocks = async () => {
      clearTimeout(silent)
      await together.ready.meet()
      silent = watch()
    }
    try {
      await observe('begin', site.shard)
      const fence = await armInTransaction(client, site, change, beforeLocks)
      added = fence.added
      await observe('armed', site.shard)
      await together.armed.meet()
      committing = true
      await observe('commit', site.shard)
      await client.query('COMMIT')
      await observe('committed', site.shard)
      return { point: { shard: site.shard, lsn: fence.lsn }, added }
    } catch (error) {
      const trouble = gone ?? coded(error, site.shard)
      together.giveUp(trouble)
      await client.query('ROLLBACK').catch(() => {})
      // Where COMMIT was sent and no answer came, the fence may stand.
      return { trouble, undo: committing ? added : [] }
    } finally {
      clearTimeout(silent)
    }
  }

  /** Opens again what this call may have closed, and nothing that was closed before. */
  async #undo(sites: readonly FenceSite[], outcomes: readonly SiteOutcome[], epoch: Epoch): Promise<void> {
    const { migration, connections } = this.#options
    await Promise.all(
      sites.map(async (site, index) => {
        const outcome = outcomes[index]!
        const units = 'point' in outcome ? outcome.added : outcome.undo
        if (units.length === 0) return
        await persistently(undoTriesMax, undoRestMs, async () => {
          await connections.use(site.shard, (client) => openUnits(client, site, units, { migration, epoch }))
        }).catch((error: unknown) => {
          throw fail('CF5103', { shard: site.shard, reason: reasonOf(error) }, error)
        })
      }),
    )
  }

  /** Disabled triggers cost nothing, but disabling them takes a lock; it is done beside the cutover, and left undone where it can't be had. */
  #disarmLater(site: FenceSite): void {
    const { migration, connections } = this.#options
    const before = this.#disarming.get(site.shard) ?? Promise.resolve()
    const work = before.then(async () => {
      for (const table of site.tables) {
        await connections
          .use(site.shard, (client) =>
            quietly(client, async () => {
              await lockFences(client, migration)
              if ((await fencedUnits(client, migration)).length === 0) await client.query(disarmSql(table))
            }),
          )
          .catch(() => {})
      }
    })
    this.#disarming.set(site.shard, work)
  }
}

/** Drops triggers, functions and the record of one migration's fences in the client's database; the tables' writes are never held up longer than 20 ms at a time. */
export async function removeFences(
  client: pg.Client,
  migration: MigrationId,
  site: Pick<FenceSite, 'tables'>,
): Promise<void> {
  for (const [ordinal, table] of site.tables.entries()) {
    const names = fenceFunctionNames(migration, ordinal)
    await persistently(quietTriesMax, quietRestMs, () =>
      quietly(client, async () => {
        await client.query(dropTriggersSql(table))
        await client.query(`DROP FUNCTION IF EXISTS ${names.row}(); DROP FUNCTION IF EXISTS ${names.statement}()`)
      }),
    )
  }
  await client.query(`DROP FUNCTION IF EXISTS ${fenceStateName(migration)}()`)
  const { rows } = await client.query(
    `SELECT 1 FROM pg_catalog.pg_class WHERE oid = to_regclass('crossfade.fence_unit')`,
  )
  if (rows.length > 0) await client.query('DELETE FROM crossfade.fence_unit WHERE migration = $1', [migration])
}

async function install(client: pg.Client, migration: MigrationId, site: FenceSite): Promise<void> {
  await client.query(fenceTableSql)
  await persistently(quietTriesMax, quietRestMs, () =>
    quietly(client, async () => {
      await lockFences(client, migration)
      await client.query(fenceStateSql(migration, site.rule, await fencedUnits(client, migration)))
      await client.query(fenceFunctionsSql(migration, site.tables, site.rule))
    }),
  )
  for (const [ordinal, table] of site.tables.entries()) {
    await persistently(quietTriesMax, quietRestMs, () =>
      quietStatement(client, createTriggersSql(migration, table, ordinal)),
    ).catch((error: unknown) => {
      throw fail(
        'CF5104',
        { shard: site.shard, table: `${table.table.schema}.${table.table.name}`, reason: reasonOf(error) },
        error,
      )
    })
  }
}

/**
 * Enables the triggers while their functions let everything pass, one table at a time, so that nothing of it is left to do under the locks.
 * A table that is too busy is left for then.
 */
async function preArm(client: pg.Client, migration: MigrationId, site: FenceSite): Promise<void> {
  for (const ordinal of await unarmed(client, site)) {
    await quietStatement(client, armSql(migration, site.tables[ordinal]!, ordinal)).catch((error: unknown) => {
      if (isConnectionLoss(error) || !isPassing(error)) throw error
    })
  }
}

/** `quietly` in one round trip, for what is asked of many tables one after the other. */
async function quietStatement(client: pg.Client, sql: string): Promise<void> {
  try {
    await client.query(`BEGIN; SET LOCAL lock_timeout = ${quietLockMsMax}; ${sql}; COMMIT`)
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {})
    throw error
  }
}

/** One transaction that never waits for a lock longer than writers may be held up. */
async function quietly(client: pg.Client, work: () => Promise<unknown>): Promise<void> {
  await client.query('BEGIN')
  try {
    await client.query(`SET LOCAL lock_timeout = ${quietLockMsMax}`)
    await work()
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {})
    throw error
  }
}

/** Tries again as long as it is a lock or a connection that is missing. */
async function persistently(triesMax: number, restMs: number, work: () => Promise<unknown>): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await work()
      return
    } catch (error) {
      if (tries >= triesMax || !isPassing(error)) throw error
      await systemClock.sleep(restMs)
    }
  }
}

function isPassing(error: unknown): boolean {
  return isTransient(error) || passingStates.has(codeOf(error) ?? '')
}

/** Lock timeout, statement timeout, and `tuple concurrently updated`. */
const passingStates = new Set(['55P03', '57014', 'XX000'])

type SiteOutcome =
  | { readonly point: FencePoint; readonly added: readonly ShardId[] }
  | { readonly trouble: unknown; readonly undo: readonly ShardId[] }

function asTrouble(site: FenceSite, together: Together) {
  return (error: unknown): SiteOutcome => {
    const trouble = coded(error, site.shard)
    together.giveUp(trouble)
    return { trouble, undo: [] }
  }
}

function coded(error: unknown, shard: string): unknown {
  return error instanceof Failure ? error : fail('CF5105', { shard, reason: reasonOf(error) }, error)
}

/** All take their locks at the same time, and all commit when the last one has them. */
class Together {
  readonly ready: Rendezvous
  readonly armed: Rendezvous

  constructor(parties: number) {
    this.ready = new Rendezvous(parties)
    this.armed = new Rendezvous(parties)
  }

  giveUp(reason: unknown): void {
    this.ready.giveUp(reason)
    this.armed.giveUp(reason)
  }
}

/** Where all databases wait for each other; one that fails sends all the others back. */
class Rendezvous {
  readonly #all: Promise<void>
  #missing: number
  #resolve: () => void = () => {}
  #reject: (reason: unknown) => void = () => {}

  constructor(parties: number) {
    this.#missing = parties
    this.#all = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#all.catch(() => {})
    if (parties === 0) this.#resolve()
  }

  meet(): Promise<void> {
    this.#missing -= 1
    if (this.#missing === 0) this.#resolve()
    return this.#all
  }

  giveUp(reason: unknown): void {
    this.#reject(reason)
  }
}
