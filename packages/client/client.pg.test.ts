import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { type Cluster, startCluster } from '@crossfade/embedded/cluster.ts'
import { freshDatabase, type TestDatabase } from '@crossfade/embedded/testing.ts'
import { asShardId } from '@crossfade/model/ids.ts'
import type { Side } from '@crossfade/model/stage.ts'
import type { Routing } from '@crossfade/routing/routing.ts'
import pg from 'pg'
import { type ClientLimits, createClient, type ShardClient } from './client.ts'
import { databaseRouting } from './database-routing.ts'
import { staticRouting } from './routing-source.ts'

const old = asShardId('source/old')
const left = asShardId('target/left')
const right = asShardId('target/right')

let cluster: Cluster
let databases: Map<string, TestDatabase>
const clients: ShardClient[] = []

before(async () => {
  cluster = await startCluster({ version: 18 })
  databases = new Map()
  for (const shard of [old, left, right]) {
    databases.set(shard, await freshDatabase(cluster, 'client'))
    await on(shard, `CREATE TABLE ledger (tenant int, entry text PRIMARY KEY)`)
    await on(shard, fenceSql)
  }
})
after(() => cluster?.destroy())
afterEach(async () => {
  for (const client of clients.splice(0)) await client.end()
  for (const shard of [old, left, right]) await on(shard, 'ALTER TABLE ledger DISABLE TRIGGER fence; TRUNCATE ledger')
})

const fenceSql = `
  CREATE FUNCTION fence() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'crossfade: writes to this key have moved' USING ERRCODE = 'CF001', DETAIL = '{"epoch": 2}'; END $$;
  CREATE TRIGGER fence BEFORE INSERT OR UPDATE OR DELETE ON ledger FOR EACH ROW EXECUTE FUNCTION fence();
  ALTER TABLE ledger DISABLE TRIGGER fence`

async function on(shard: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(databases.get(shard)!.url)
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

const fence = (shard: string, armed: boolean) =>
  on(shard, `ALTER TABLE ledger ${armed ? 'ENABLE ALWAYS' : 'DISABLE'} TRIGGER fence`)

function routingOf(epoch: number, side: Side, fenced = false): Routing {
  return {
    epoch,
    source: { kind: 'single', shard: old },
    target: {
      kind: 'range',
      order: 'integer',
      ranges: [
        { shard: left, from: null, to: '100' },
        { shard: right, from: '100', to: null },
      ],
    },
    authority: { [old]: side },
    fenced: fenced ? [old] : [],
  }
}

async function clientOf(limits: Partial<ClientLimits> = {}, pool: pg.PoolConfig = {}) {
  const routing = staticRouting(routingOf(1, 'source'))
  const shards = Object.fromEntries(
    [...databases].map(([shard, database]) => [shard, { connectionString: database.url, max: 4, ...pool }]),
  )
  const client = await createClient({ routing, shards, limits: { holdMsMax: 20_000, probeMs: 30, ...limits } })
  clients.push(client)
  return { client, routing }
}

const insert = (client: ShardClient, tenant: number, entry: string) =>
  client.query(tenant, 'INSERT INTO ledger VALUES ($1, $2) RETURNING entry', [tenant, entry])
const entries = async (shard: string) =>
  (await on(shard, 'SELECT entry FROM ledger ORDER BY 1')).map((row) => row['entry'])

async function heldAtLeast(client: ShardClient, count: number): Promise<void> {
  while (client.stats().held < count) await new Promise((resolve) => setTimeout(resolve, 5))
}

test('DM-10 statements go to the owner of their key, with pg’s own results', async () => {
  const { client, routing } = await clientOf()
  const result = await insert(client, 7, 'a')
  assert.deepEqual([result.command, result.rowCount, result.rows], ['INSERT', 1, [{ entry: 'a' }]])
  routing.set(routingOf(2, 'target'))
  await insert(client, 7, 'b')
  await insert(client, 700, 'c')
  assert.deepEqual([await entries(old), await entries(left), await entries(right)], [['a'], ['b'], ['c']])
  const direct = await client.connect(700n)
  assert.equal((await direct.query('SELECT count(*)::int AS n FROM ledger')).rows[0].n, 1)
  direct.release()
  await assert.rejects(client.query(1, 'SELEC'), { code: '42601' })
  await assert.rejects(client.query('x', 'SELECT 1'), { code: 'CF2803' })
})

test('DM-10 a write that meets the fence is held and lands at the new owner, without an error; reads go on', async () => {
  const { client, routing } = await clientOf()
  const events: unknown[] = []
  client.on('hold', (event) => events.push(event))
  client.on('switch', (event) => events.push(event))
  await insert(client, 7, 'before')
  await fence(old, true)
  const writes = [insert(client, 7, 'held 1'), insert(client, 700, 'held 2')]
  const transaction = client.transaction(7, async (tx) => {
    await tx.query('INSERT INTO ledger VALUES (7, $1)', ['held 3'])
    await tx.query({ text: 'INSERT INTO ledger VALUES (7, $1)', values: ['held 4'] })
    return 'done'
  })
  await heldAtLeast(client, 3)
  assert.equal((await client.query(7, 'SELECT 1 FROM ledger')).rowCount, 1)
  routing.set(routingOf(2, 'source', true))
  assert.equal((await client.query(7, 'SELECT 1 FROM ledger')).rowCount, 1)
  assert.equal(client.stats().held, 3)
  routing.set(routingOf(3, 'target'))
  assert.equal(await transaction, 'done')
  assert.deepEqual(
    (await Promise.all(writes)).map((result) => result.rows[0]?.['entry']),
    ['held 1', 'held 2'],
  )
  assert.deepEqual(
    [await entries(old), await entries(left), await entries(right)],
    [['before'], ['held 1', 'held 3', 'held 4'], ['held 2']],
  )
  assert.deepEqual(events.at(-1), { epoch: 3, units: [old] })
  assert.equal(events.length, 4)
  const { holds, held, holdMs, epoch, switches } = client.stats()
  assert.deepEqual([holds, held, holdMs.count, epoch, switches], [3, 0, 3, 3, 1])
  assert.ok(holdMs.p50 > 0 && holdMs.p50 <= holdMs.p99 && holdMs.p99 <= holdMs.max)
})

test('a unit that the routing marks as fenced holds plain writes before they are sent', async () => {
  const { client, routing } = await clientOf()
  await fence(old, true)
  routing.set(routingOf(2, 'source', true))
  let held = 0
  client.on('hold', () => {
    held += 1
  })
  const write = insert(client, 7, 'a')
  assert.equal(held, 1, 'it was held without a word from the database')
  routing.set(routingOf(3, 'target'))
  await write
  assert.deepEqual(await entries(left), ['a'])
})

test('a cutover that is undone lets held writes go on at the old owner, also when no routing says so', async () => {
  const { client } = await clientOf()
  await fence(old, true)
  const writes = Array.from({ length: 20 }, (_, index) => insert(client, 7, `w${String(index).padStart(2, '0')}`))
  await heldAtLeast(client, 20)
  await fence(old, false)
  await Promise.all(writes)
  assert.equal((await entries(old)).length, 20)
})

test('holding has limits: too long, too many, and the end of the client', async () => {
  const { client } = await clientOf({ holdMsMax: 200, heldMax: 2 })
  await fence(old, true)
  const held = [insert(client, 7, 'a'), insert(client, 7, 'b')]
  for (const each of held) each.catch(() => undefined)
  await heldAtLeast(client, 2)
  await assert.rejects(insert(client, 7, 'c'), { code: 'CF7104' })
  for (const each of held) await assert.rejects(each, { code: 'CF7103' })
  const other = (await clientOf({ probeMs: 60_000 })).client
  const last = insert(other, 7, 'd')
  last.catch(() => undefined)
  await heldAtLeast(other, 1)
  await other.end()
  await assert.rejects(last, { code: 'CF7105' })
  await fence(old, false)
  assert.deepEqual(await entries(old), [])
})

test('D10 a stale client can not write wrongly: the fence refuses it until it learns', async () => {
  const { client, routing } = await clientOf({ holdMsMax: 300 })
  await fence(old, true)
  await assert.rejects(insert(client, 7, 'a'), { code: 'CF7103' })
  routing.set(routingOf(5, 'target'))
  routing.set(routingOf(4, 'source'))
  await insert(client, 7, 'a')
  assert.deepEqual([await entries(old), await entries(left)], [[], ['a']])
})

test('a transaction in which the program swallows the refusal is not committed in part', async () => {
  const { client, routing } = await clientOf()
  await on(left, 'INSERT INTO ledger VALUES (7, $$x$$)')
  await fence(old, true)
  let runs = 0
  const done = client.transaction(7, async (tx) => {
    runs += 1
    await tx.query('SAVEPOINT here')
    await tx
      .query(`INSERT INTO ledger VALUES (7, 'a')`)
      .catch(() => tx.query('ROLLBACK TO SAVEPOINT here').catch(() => undefined))
    await tx.query('SELECT 1').catch(() => undefined)
  })
  await heldAtLeast(client, 1)
  routing.set(routingOf(2, 'target'))
  await done
  assert.ok(runs >= 2)
  assert.deepEqual(await entries(left), ['a', 'x'])
})

test('a failed statement that the program swallowed is no success', async () => {
  const { client } = await clientOf()
  await assert.rejects(
    client.transaction(7, async (tx) => {
      await tx.query('SELECT 1/0').catch(() => undefined)
    }),
    { code: 'CF7107' },
  )
  await assert.rejects(
    client.transaction(7, async () => {
      throw Object.assign(new Error('mine'), { code: 'ECONNRESET' })
    }),
    /mine/,
  )
})

test('a transaction whose connection breaks before COMMIT is run again; the backend’s end is no error', async () => {
  const { client } = await clientOf()
  let runs = 0
  await client.transaction(7, async (tx) => {
    runs += 1
    await tx.query(`INSERT INTO ledger VALUES (7, 'a')`)
    const { rows } = await tx.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    if (runs === 1) await on(old, `SELECT pg_terminate_backend(${rows[0]!.pid})`)
    await tx.query(`INSERT INTO ledger VALUES (7, 'b')`)
  })
  assert.equal(runs, 2)
  assert.deepEqual(await entries(old), ['a', 'b'])
  assert.ok(client.stats().retries >= 1)
})

/** Kills the session in its COMMIT: a deferred trigger does it, after or before which the commit may have happened. */
async function breakAtCommit<T>(work: () => Promise<T>): Promise<T> {
  await on(
    old,
    `CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
       IF NEW.entry LIKE 'dies%' THEN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5); END IF; RETURN NULL; END $$;
     CREATE CONSTRAINT TRIGGER die AFTER INSERT ON ledger DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION die()`,
  )
  try {
    return await work()
  } finally {
    await on(old, 'DROP FUNCTION die CASCADE')
  }
}

test('an unknown outcome is never repeated blindly: it is CF7106, or the program’s check decides', async () => {
  await breakAtCommit(async () => {
    const { client } = await clientOf()
    let runs = 0
    const work = (entry: () => string) => async (tx: { query(text: string, values: unknown[]): Promise<unknown> }) => {
      runs += 1
      await tx.query('INSERT INTO ledger VALUES (7, $1)', [entry()])
      return runs
    }
    await assert.rejects(
      client.transaction(
        7,
        work(() => 'dies 1'),
      ),
      { code: 'CF7106' },
    )
    assert.equal(runs, 1)
    await assert.rejects(insert(client, 7, 'dies 2'), { code: 'CF7106' })
    assert.equal(client.stats().unknownOutcomes, 2)
    // Not there: it is done again, and this time it gets through.
    runs = 0
    const result = await client.transaction(
      7,
      work(() => (runs === 1 ? 'dies 3' : 'lives')),
      {
        committed: async (tx) =>
          (await tx.query(`SELECT 1 FROM ledger WHERE entry IN ('dies 3', 'lives')`)).rowCount === 1,
      },
    )
    assert.equal(result, 2)
    // There, says the check: nothing is done again.
    runs = 0
    assert.equal(
      await client.transaction(
        7,
        work(() => 'dies 4'),
        { committed: async () => true },
      ),
      1,
    )
    assert.deepEqual(await entries(old), ['lives'])
  })
})

test('D07 a database that restarts is waited for when nothing was sent yet', async () => {
  const { client } = await clientOf({ unreachableMsMax: 30_000 })
  await insert(client, 7, 'a')
  await cluster.stop('fast')
  const write = insert(client, 7, 'b')
  await cluster.start()
  await write
  assert.deepEqual(await entries(old), ['a', 'b'])
})

test('under load across a cutover and back nothing is lost, doubled or refused', async () => {
  const { client, routing } = await clientOf()
  const acknowledged: string[] = []
  let stop = false
  const writers = Array.from({ length: 8 }, async (_, writer) => {
    for (let n = 0; !stop; n += 1) {
      const entry = `${writer}-${n}`
      const tenant = (n * 37) % 200
      if (n % 3 === 0) {
        await client.transaction(
          tenant,
          async (tx) => void (await tx.query('INSERT INTO ledger VALUES ($1, $2)', [tenant, entry])),
        )
      } else await insert(client, tenant, entry)
      acknowledged.push(entry)
    }
  })
  const progress = async () => {
    const goal = acknowledged.length + 300
    while (acknowledged.length < goal) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  let epoch = 1
  for (const side of ['target', 'source', 'target'] as const) {
    await progress()
    const from = side === 'target' ? [old] : [left, right]
    const to = side === 'target' ? [left, right] : [old]
    for (const shard of from) await fence(shard, true)
    for (const shard of to) await fence(shard, false)
    await heldAtLeast(client, 8)
    epoch += 1
    routing.set(routingOf(epoch, side))
  }
  await progress()
  stop = true
  await Promise.all(writers)
  const found = [...(await entries(old)), ...(await entries(left)), ...(await entries(right))]
  assert.deepEqual(found.sort(), acknowledged.sort())
  assert.equal(client.stats().holdMs.count, client.stats().holds)
})

test('databaseRouting follows the control database through its restart', async () => {
  const control = await freshDatabase(cluster, 'control')
  databases.set('control', control)
  await on(
    'control',
    `CREATE SCHEMA crossfade_control; CREATE TABLE crossfade_control.routing (migration text, epoch bigint, body jsonb)`,
  )
  const announce = (routing: Routing) =>
    on(
      'control',
      `INSERT INTO crossfade_control.routing VALUES ('mig_x', ${routing.epoch}, '${JSON.stringify(routing)}'); NOTIFY crossfade_routing`,
    )
  const source = databaseRouting({ connectionString: control.url, migration: 'mig_x' as never })
  const epochs: number[] = []
  const reached = async (epoch: number) => {
    while (epochs.at(-1) !== epoch) await new Promise((resolve) => setTimeout(resolve, 10))
  }
  await assert.rejects(
    source.start(() => undefined),
    { code: 'CF7101' },
  )
  await announce(routingOf(1, 'source'))
  await source.start((routing) => epochs.push(routing.epoch))
  await reached(1)
  await announce(routingOf(2, 'source', true))
  await reached(2)
  await cluster.stop('fast')
  await cluster.start()
  await announce(routingOf(3, 'target'))
  await reached(3)
  await source.close()
  databases.delete('control')
})
