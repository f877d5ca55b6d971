import { Failure, fail, invariant, reasonOf } from '@crossfade/model/failure.ts'
import type { MigrationId, ShardId } from '@crossfade/model/ids.ts'
import { formatLsn } from '@crossfade/model/lsn.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import type { Chunk, SnapshotReference, TaskContext } from '@crossfade/pipeline/data-plane.ts'
import type { ResolvedColumn, ResolvedPlan, ResolvedTable } from '@crossfade/pipeline/resolved-plan.ts'
import type { TransformLookup } from '@crossfade/pipeline/transform.ts'
import { routerOf, shardsOf } from '@crossfade/routing/route.ts'
import type { PoolClient } from 'pg'
import type { ShardPool } from '../connection/pool.ts'
import { quoteLiteral } from '../connection/quote.ts'
import { isTransient } from '../connection/transient.ts'
import { CopyIn } from './copy-in.ts'
import { type BlockConsumer, copyOut } from './copy-out.ts'
import { checkEpoch } from './epoch-check.ts'
import { both, FrameWriter } from './frame-writer.ts'
import { readChunkSql } from './read-chunk.ts'
import { checkStillThere } from './rewritten.ts'
import { type CopyFormat, type RouteKey, RowSplitter } from './split-rows.ts'
import { Staging } from './staging.ts'
import { RowTransformer } from './transform-rows.ts'

/** The throttle is asked once for so many bytes. */
const throttleBytes = 1024 * 1024

export interface CopyChunkOptions {
  readonly migration: MigrationId
  readonly plan: ResolvedPlan
  /** Sessions of a shard; those of targets carry `crossfade.writer`. */
  readonly pool: (shard: ShardId) => ShardPool
  readonly transforms: TransformLookup
}

export interface CopiedChunk {
  readonly rows: number
  readonly bytes: number
}

/**
 * Copies one chunk to every target it belongs to. On each target its rows, its checkpoint (`crossfade.chunk_done`) and the epoch check commit in one transaction;
 * the targets commit one after the other, and those that have the chunk already are left alone, so that it may be called again after a crash at any point.
 * Rejects with CF3101 (the snapshot is gone, retry with a new one), CF3102, CF2016 (retry), CF6006 (stale epoch), CF3103–CF3106 (not retryable), or the signal's reason.
 */
export async function copyChunk(
  options: CopyChunkOptions,
  chunk: Chunk,
  snapshot: SnapshotReference,
  context: TaskContext,
): Promise<CopiedChunk> {
  const table = tableOf(options.plan, chunk)
  const all = targetsOf(options.plan, table)
  try {
    const { missing, done } = await missingTargets(options, chunk, all, context)
    if (missing.length === 0) return done
    return await new ChunkCopy(options, chunk, table, snapshot, context, all, missing).run()
  } catch (error) {
    context.signal.throwIfAborted()
    throw copyFailure(error, chunk)
  }
}

/** The targets that rows of a table may go to: all shards of the topology for tables that are split or live everywhere. */
export function targetsOf(plan: ResolvedPlan, table: ResolvedTable): readonly ShardId[] {
  if (table.route.kind === 'reference') return plan.target.shards.map((shard) => shard.id)
  return shardsOf(plan.target.topology)
}

class ChunkCopy {
  readonly #options: CopyChunkOptions
  readonly #chunk: Chunk
  readonly #table: ResolvedTable
  readonly #snapshot: SnapshotReference
  readonly #context: TaskContext
  /** Where rows may belong, and those of them that don't have the chunk yet, sorted by id. */
  readonly #all: readonly ShardId[]
  readonly #missing: readonly ShardId[]
  readonly #format: CopyFormat
  readonly #columns: ResolvedTable['columns']
  /** A later snapshot may show a row again that an earlier one showed in another chunk; with the keys in place already it must not fail. */
  #staged = false
  #bytes = 0
  #unthrottled = 0

  constructor(
    options: CopyChunkOptions,
    chunk: Chunk,
    table: ResolvedTable,
    snapshot: SnapshotReference,
    context: TaskContext,
    all: readonly ShardId[],
    missing: readonly ShardId[],
  ) {
    this.#options = options
    this.#chunk = chunk
    this.#table = table
    this.#snapshot = snapshot
    this.#context = context
    this.#all = all
    // Everybody takes connections in the same order, so that two copies never wait for each other.
    this.#missing = [...missing].sort()
    this.#format = table.binary && table.transform === null ? 'binary' : 'text'
    this.#columns = table.columns.filter((column) => !column.generated && column.only !== 'source')
  }

  async run(): Promise<CopiedChunk> {
    try {
      return await this.#attempt()
    } catch (error) {
      if (this.#snapshot.generation === 1 || (error as { code?: string }).code !== uniqueViolation) throw error
      this.#staged = true
      this.#bytes = 0
      return await this.#attempt()
    }
  }

  #attempt(): Promise<CopiedChunk> {
    const { pool } = this.#options
    const options = { signal: this.#context.signal }
    return pool(this.#chunk.source).withTransaction(
      (source) => this.#withTargets(options, (targets) => this.#copy(source, targets)),
      { ...options, mode: 'ISOLATION LEVEL REPEATABLE READ READ ONLY' },
    )
  }

  #withTargets<T>(
    options: { readonly signal: AbortSignal },
    work: (clients: readonly PoolClient[]) => Promise<T>,
  ): Promise<T> {
    const open = (clients: readonly PoolClient[]): Promise<T> => {
      const shard = this.#missing[clients.length]
      if (shard === undefined) return work(clients)
      return this.#options.pool(shard).withConnection((client) => open([...clients, client]), options)
    }
    return open([])
  }

  async #copy(source: PoolClient, targets: readonly PoolClient[]): Promise<CopiedChunk> {
    await this.#importSnapshot(source)
    const stagings = await Promise.all(targets.map((target) => this.#begin(target)))
    const copies = stagings.map((staging, place) => new CopyIn(targets[place]!, staging.copySql))
    await Promise.all(copies.map((copy) => copy.started))
    const bytesOf = copies.map(() => 0)
    const sinks = copies.map((copy, place) => (block: Buffer) => {
      bytesOf[place]! += block.length
      return copy.write(block)
    })
    const relay = this.#relay(sinks)
    const rows = await copyOut(source, this.#readSql(), (block) => this.#paced(block, relay.push))
    await relay.end()
    const written = await Promise.all(copies.map((copy) => copy.finish()))
    if (relay.check) relay.check(rows, written)
    await checkStillThere(source, this.#chunk, rows)
    await Promise.all(stagings.map((staging) => staging.merge()))
    await this.#commit(targets, written, bytesOf)
    return { rows, bytes: this.#bytes }
  }

  async #importSnapshot(source: PoolClient): Promise<void> {
    const { name } = this.#snapshot
    try {
      await source.query(`SET TRANSACTION SNAPSHOT ${quoteLiteral(name)}`)
    } catch (error) {
      const { code } = error as { code?: string }
      if (code !== undefined && snapshotGone.has(code)) {
        throw fail('CF3101', { snapshot: name, shard: this.#chunk.source, reason: reasonOf(error) }, error)
      }
      throw error
    }
  }

  async #begin(target: PoolClient): Promise<Staging> {
    await target.query('BEGIN')
    const staging = new Staging(target, this.#table, this.#columns, this.#format, this.#staged)
    await staging.open()
    return staging
  }

  #readSql(): string {
    // A transform sees every column, also those that the target computes by itself.
    const columns = this.#table.transform === null ? this.#columns : this.#readColumns()
    return readChunkSql(this.#table, this.#chunk, columns, this.#format, this.#split())
  }

  #readColumns(): readonly ResolvedColumn[] {
    return this.#table.columns.filter((column) => column.only !== 'target')
  }

  /** Whether each row must be looked at to know where it goes. */
  #split(): boolean {
    return this.#all.length > 1 && this.#table.route.kind !== 'reference'
  }

  #relay(sinks: readonly BlockConsumer[]): Relay {
    if (this.#table.transform === null && !this.#split()) {
      // The bytes of one server are what the other one takes.
      return {
        push: (block) => sinks.reduce<Promise<void> | undefined>((wait, sink) => both(wait, sink(block)), undefined),
        end: async () => undefined,
        check: null,
      }
    }
    const writers = sinks.map((sink) => new FrameWriter(sink))
    const rows = this.#rowRelay(writers)
    return {
      push: (block) => this.#placed(() => rows.push(block)),
      end: async () => rows.end(),
      check: (read, written) => {
        const arrived = written.reduce((sum, count) => sum + count, 0)
        const copies = this.#table.route.kind === 'reference' ? this.#missing.length : 1
        invariant(
          rows.rows === read && arrived === (rows.rows - rows.dropped) * copies,
          `${this.#chunk.id}: ${read} rows were read, ${rows.rows} passed, ${rows.dropped} left out, ${arrived} written`,
        )
      },
    }
  }

  #rowRelay(writers: readonly FrameWriter[]): RowTransformer | RowSplitter {
    const { transform } = this.#table
    if (transform === null) return new RowSplitter(this.#format, this.#routeKey(), writers)
    return new RowTransformer(
      {
        table: this.#table.source,
        name: transform,
        transform: this.#options.transforms(transform),
        read: this.#readColumns().map((column) => column.source),
        write: this.#columns.map((column) => column.target),
        route: this.#split() ? this.#routeKey() : null,
      },
      writers,
    )
  }

  #routeKey(): RouteKey {
    const route = routerOf(this.#options.plan.target.topology)
    const places = new Map(this.#missing.map((shard, place) => [shard, place]))
    return (key) => places.get(route(key)) ?? -1
  }

  #placed<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      if (error instanceof Failure && error.code.startsWith('CF28')) {
        throw fail('CF3106', { table: tableKey(this.#table.source), reason: error.message }, error)
      }
      throw error
    }
  }

  /** Passes a block on, and lets the throttle hold the source back once per mebibyte. */
  #paced(block: Buffer, push: BlockConsumer): Promise<void> | undefined {
    this.#bytes += block.length
    this.#unthrottled += block.length
    const wait = push(block)
    if (this.#unthrottled < throttleBytes) return wait
    const bytes = this.#unthrottled
    this.#unthrottled = 0
    this.#context.report({ bytes: this.#bytes })
    return both(wait, this.#context.throttle('copy', bytes))
  }

  async #commit(targets: readonly PoolClient[], rows: readonly number[], bytes: readonly number[]): Promise<void> {
    const { migration } = this.#options
    const { epoch, lease, signal } = this.#context
    for (const [place, target] of targets.entries()) {
      signal.throwIfAborted()
      await checkEpoch(target, migration, lease, epoch)
      const { rowCount } = await target.query(
        `INSERT INTO crossfade.chunk_done (migration, chunk_id, epoch, rows, bytes, snapshot_lsn) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT DO NOTHING`,
        [migration, this.#chunk.id, epoch, rows[place], bytes[place], formatLsn(this.#snapshot.lsn)],
      )
      // Somebody else has committed the same chunk in between: its rows are there already.
      await target.query(rowCount === 1 ? 'COMMIT' : 'ROLLBACK')
    }
  }
}

interface Relay {
  readonly push: BlockConsumer
  readonly end: () => Promise<void>
  /** Compares what was read with what each target took. Null when the bytes pass untouched, where the servers' counts are the same by construction. */
  readonly check: ((read: number, written: readonly number[]) => void) | null
}

/** Tells every target who works on the chunk now, and gives those that don't have it yet. */
async function missingTargets(
  options: CopyChunkOptions,
  chunk: Chunk,
  targets: readonly ShardId[],
  context: TaskContext,
): Promise<{ readonly missing: readonly ShardId[]; readonly done: CopiedChunk }> {
  const { signal } = context
  const states = await Promise.all(
    targets.map((shard) =>
      options.pool(shard).withConnection(
        async (client) => {
          await checkEpoch(client, options.migration, context.lease, context.epoch)
          const { rows } = await client.query<{ rows: string; bytes: string }>(
            'SELECT rows, bytes FROM crossfade.chunk_done WHERE migration = $1 AND chunk_id = $2',
            [options.migration, chunk.id],
          )
          return { shard, done: rows[0] }
        },
        { signal },
      ),
    ),
  )
  const done = states.flatMap((state) => (state.done ? [state.done] : []))
  return {
    missing: states.filter((state) => !state.done).map((state) => state.shard),
    done: {
      rows: done.reduce((sum, part) => sum + Number(part.rows), 0),
      bytes: done.reduce((sum, part) => sum + Number(part.bytes), 0),
    },
  }
}

function tableOf(plan: ResolvedPlan, chunk: Chunk): ResolvedTable {
  const name = tableKey(chunk.table)
  const table = plan.tables.find((candidate) => tableKey(candidate.source) === name)
  invariant(table, `the plan has no table ${name}`)
  return table
}

function copyFailure(error: unknown, chunk: Chunk): Failure {
  if (error instanceof Failure) return error
  return fail(isTransient(error) ? 'CF3102' : 'CF3103', { chunk: chunk.id, reason: reasonOf(error) }, error)
}

/** SQLSTATEs of `SET TRANSACTION SNAPSHOT` for one that is gone: invalid parameter value, undefined object, and a source transaction that ended in between. */
const snapshotGone = new Set(['22023', '42704', '55000'])
/** SQLSTATE unique_violation. */
const uniqueViolation = '23505'
