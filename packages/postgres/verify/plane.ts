import { fail } from '@crossfade/model/failure.ts'
import type { MigrationId, ShardId } from '@crossfade/model/ids.ts'
import type { Lsn } from '@crossfade/model/lsn.ts'
import type { Side } from '@crossfade/model/stage.ts'
import type { TaskContext, Verification } from '@crossfade/pipeline/data-plane.ts'
import type { ResolvedPlan } from '@crossfade/pipeline/resolved-plan.ts'
import type { ReversibleTransform } from '@crossfade/pipeline/transform.ts'
import type { ClientBase } from 'pg'
import type { TouchListener } from '../sink/touch-listener.ts'
import { type Authority, readApplied, readAuthority } from './authority.ts'
import { ComparedTables } from './compared-tables.ts'
import type { Comparison } from './look.ts'
import { tableRanges } from './ranges.ts'
import { repair } from './repair.ts'
import { TouchedKeys } from './touched.ts'
import { verifyRange } from './verify-range.ts'
import { verifyTransformed } from './verify-transformed.ts'

export interface VerificationOptions {
  readonly plan: ResolvedPlan
  readonly migration: MigrationId
  /** Lends an ordinary session of a shard of either side, in no transaction, with the settings of `connection/session-settings.ts`. */
  read<T>(shard: ShardId, work: (client: ClientBase) => Promise<T>): Promise<T>
  /** Lends a session that carries `crossfade.writer`. */
  write<T>(shard: ShardId, work: (client: ClientBase) => Promise<T>): Promise<T>
  /** Which side answers for the data at this moment; read from the databases where it is left out. */
  readonly authority?: () => Promise<Side>
  /** How far the changes of a shard are applied on the other side; null where no stream runs. Read from the databases where it is left out. */
  readonly applied?: ((from: ShardId) => Promise<Lsn>) | null
  readonly transforms: (name: string) => ReversibleTransform
}

export interface PostgresVerification extends Verification {
  /** Compares what the stream of a shard touches, from now until the context's signal is aborted. */
  listener(from: ShardId, context: TaskContext): TouchListener
}

/** The verification of one migration on PostgreSQL. Holds nothing but what the catalogs said about the tables. */
export function createVerification(options: VerificationOptions): PostgresVerification {
  const { plan, migration, read } = options
  const applied =
    options.applied === undefined ? (from: ShardId) => readApplied(plan, migration, from, read) : options.applied
  const authority = async (): Promise<Authority> => {
    const { side, mixed } = await readAuthority(plan, migration, read)
    return { side: (await options.authority?.()) ?? side, mixed }
  }
  const comparison: Comparison = { plan, migration, read, applied }
  const tables = new ComparedTables(options)
  return {
    async ranges() {
      const { side } = await authority()
      const each = await Promise.all(
        plan.tables.map(async (table) => tableRanges(comparison, await tables.get(table.source), side)),
      )
      return each.flat()
    },
    async verify(range, context) {
      const table = await tables.get(range.table)
      const { side, mixed } = await authority()
      const verify = table.transform === null ? verifyRange : verifyTransformed
      return verify({ ...comparison, mixed }, table, side, range, context)
    },
    async repair(mismatches, context) {
      const { side, mixed } = await authority()
      if (mixed) throw fail('CF4103')
      return repair({ ...comparison, write: options.write }, tables, side, mismatches, context)
    },
    listener(from, context) {
      const side: Side = plan.source.shards.some((shard) => shard.id === from) ? 'source' : 'target'
      return new TouchedKeys({ comparison, tables, from, side, context })
    },
  }
}
