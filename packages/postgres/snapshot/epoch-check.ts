import { fail } from '@crossfade/model/failure.ts'
import type { Epoch, MigrationId } from '@crossfade/model/ids.ts'
import type { ClientBase } from 'pg'

/**
 * Writes the lease's epoch into the database, or throws CF6006 when a newer one is there already. Inside a transaction it holds the row until the end,
 * so that what commits with it was written by the present holder. Idempotent.
 */
export async function checkEpoch(
  client: ClientBase,
  migration: MigrationId,
  lease: string,
  epoch: Epoch,
): Promise<void> {
  const { rowCount } = await client.query(
    `INSERT INTO crossfade.lease_epoch AS held (migration, lease, epoch) VALUES ($1, $2, $3)
     ON CONFLICT (migration, lease) DO UPDATE SET epoch = excluded.epoch WHERE held.epoch <= excluded.epoch`,
    [migration, lease, epoch],
  )
  if (rowCount !== 1) throw fail('CF6006', { lease })
}
