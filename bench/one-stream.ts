import { asEpoch, asShardId, newMigrationId } from '@crossfade/model/ids.ts'
import { parseLsn } from '@crossfade/model/lsn.ts'
import type { StreamStatus } from '@crossfade/pipeline/data-plane.ts'
import type { ResolvedTable } from '@crossfade/pipeline/resolved-plan.ts'
import { streamName } from '@crossfade/postgres/changes/names.ts'
import { createPublication } from '@crossfade/postgres/changes/publication.ts'
import { createControlSchema } from '@crossfade/postgres/schema/control-schema.ts'
import { createStreams } from '@crossfade/postgres/sink/streams.ts'
import { believingListener } from '@crossfade/postgres/sink/touch-listener.ts'
import { testPlan, testTable } from '@crossfade/postgres/testing/plan.ts'
import type pg from 'pg'
import { open } from './connection.ts'

const from = asShardId('source/a')
const to = asShardId('target/0')

/** A table that changes are written to and followed from, of about 120 bytes a row. */
export const itemsSql =
  'CREATE TABLE items (id bigint PRIMARY KEY, tenant_id uuid, channel_id bigint, status text, amount numeric(12,2), created_at timestamptz, note text)'
const values = (id: string) =>
  `${id}, md5((${id} % 1000)::text)::uuid, ${id} % 5000, 'status ' || ${id} % 7, ${id} % 100000 / 100.0, timestamptz '2024-01-01' + ${id} * interval '1 second', md5(${id}::text)`

/** Writes `rows` rows, one transaction of `perTransaction` after the other. */
export function insertsSql(rows: number, perTransaction: number): string {
  return `DO $$ BEGIN FOR t IN 0 .. ${Math.ceil(rows / perTransaction) - 1} LOOP
    INSERT INTO items SELECT ${values('g')} FROM generate_series(1 + t * ${perTransaction}::bigint, (t + 1) * ${perTransaction}::bigint) g;
    COMMIT; END LOOP; END $$`
}

/** As many changes to a table of `rows` rows: a third inserts, a third updates, a third deletes. */
export function mixedSql(rows: number, perTransaction: number): string {
  return `DO $$ DECLARE n bigint := ${Math.floor(perTransaction / 3)}; base bigint := ${rows}; BEGIN FOR t IN 0 .. ${Math.ceil(rows / perTransaction) - 1} LOOP
    INSERT INTO items SELECT ${values('g')} FROM generate_series(base + 1 + t * n, base + (t + 1) * n) g;
    UPDATE items SET status = 'changed', amount = amount + 1 WHERE id > t * n AND id <= (t + 1) * n;
    DELETE FROM items WHERE id > base / 2 + t * n AND id <= base / 2 + (t + 1) * n;
    COMMIT; END LOOP; END $$`
}

/** One stream of Crossfade between two databases that both have the table `items`; it keeps what is written from now on. */
export interface OneStream {
  /** Follows everything that has been written until now; rows per second from the first row that is applied to the last. */
  follow(): Promise<number>
  drop(): Promise<void>
}

/** Makes what a stream from one database to the other needs (control schemas, publication, slot); with `text`, values travel as text. The caller drops it. */
export async function openStream(
  source: string,
  target: string,
  { text = false }: { text?: boolean } = {},
): Promise<OneStream> {
  const migration = newMigrationId()
  const name = streamName(migration, 'source', 0)
  const [there, here] = (await Promise.all([source, target].map(open))) as [pg.Client, pg.Client]
  for (const client of [there, here]) await createControlSchema(client, from)
  const table: ResolvedTable = {
    ...(await testTable(there, { schema: 'public', name: 'items' }, { kind: 'whole' })),
    binary: !text,
  }
  await createPublication(there, { shard: from, publication: name, tables: [table.source] })
  await there.query(`SELECT pg_create_logical_replication_slot('${name}', 'pgoutput')`)
  const plan = testPlan({
    source: { topology: { kind: 'single', shard: from }, urls: { [from]: source } },
    target: { topology: { kind: 'single', shard: to }, urls: { [to]: target } },
    tables: [table],
  })
  const streams = createStreams({
    plan,
    migration,
    transforms: () => ({ forward: (row) => row, backward: null }),
    listener: () => believingListener(),
  })
  return {
    async follow() {
      const { rows } = await there.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn')
      const end = parseLsn(rows[0]!.lsn)
      const stop = new AbortController()
      let done = () => {}
      const reached = new Promise<void>((resolve) => {
        done = resolve
      })
      const started = performance.now()
      let applied = 0
      const following = streams.follow(
        from,
        { epoch: asEpoch(1), lease: 'bench', signal: stop.signal, report: () => {}, throttle: async () => {} },
        {
          status: (status: StreamStatus) => {
            applied = status.rowsApplied
            if (status.applied >= end) done()
          },
          expected: () => end as never,
        },
      )
      await Promise.race([reached, following])
      const seconds = (performance.now() - started) / 1000
      stop.abort(new Error('measured'))
      await following
      await here.query('VACUUM items')
      return Math.round(applied / seconds)
    },
    async drop() {
      await there.query(`SELECT pg_drop_replication_slot('${name}')`)
      await Promise.all([there.end(), here.end()])
    },
  }
}

/** Fails when the two databases do not hold the same rows. */
export async function requireSameItems(source: string, target: string): Promise<void> {
  const counts = await Promise.all(
    [source, target].map(async (url) => {
      const client = await open(url)
      const { rows } = await client.query(
        'SELECT count(*)::text, sum(hash_record_extended(items.*, 0))::text FROM items',
      )
      await client.end()
      return JSON.stringify(rows)
    }),
  )
  if (counts[0] !== counts[1]) throw new Error(`the two sides differ: ${counts.join(' and ')}`)
}
