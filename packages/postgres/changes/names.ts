import { invariant } from '@crossfade/model/failure.ts'
import type { MigrationId } from '@crossfade/model/ids.ts'
import type { Side } from '@crossfade/model/stage.ts'

/**
 * The name of a shard's slot and publication: `crossfade_0123456789ab_s0`. `ordinal` is the shard's place in its side of the plan. The side is part of it
 * because slots are named per server, and both sides may live on one.
 */
export function streamName(migration: MigrationId, side: Side, ordinal: number): string {
  return `${streamNamePrefix(migration)}${side === 'source' ? 's' : 't'}${ordinal}`
}

/** What all names of a migration start with, those of its temporary slots too; leftovers are found by it. */
export function streamNamePrefix(migration: MigrationId): string {
  const suffix = migration.replace(/^mig_/, '')
  // Slots allow nothing else; and a migration's name must not be a prefix of another's.
  invariant(/^[a-z0-9]{1,32}$/.test(suffix), `${migration} cannot be part of a slot's name`)
  return `crossfade_${suffix}_`
}
