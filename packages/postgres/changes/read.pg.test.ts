import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { startFaultProxy } from '@crossfade/embedded/fault-proxy.ts'
import { Failure } from '@crossfade/model/failure.ts'
import { parseLsn } from '@crossfade/model/lsn.ts'
import pg from 'pg'
import { isTransient } from '../connection/transient.ts'
import { openReplication } from './replication-connection.ts'
import { dropSlot, slotStatus } from './slots.ts'
import {
  eventually,
  idsOf,
  migration,
  type StreamServer,
  startStreamServer,
  takeUntil,
  textOf,
} from './stream-testing.ts'
import type { StreamEvent } from './transaction.ts'

const isPiece = (event: StreamEvent) => event.kind === 'piece'

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => assert.fail('it should have failed'),
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof Failure, String((error as Error)?.stack ?? error))
  return error.code
}

for (const version of [14, 18] as const) {
  describe(`following PostgreSQL ${version}`, () => {
    let server: StreamServer
    before(async () => {
      server = await startStreamServer(version, { logical_decoding_work_mem: '64kB' })
      await server.sql.query('CREATE TABLE t (id int PRIMARY KEY, x text)')
    })
    after(() => server?.close())
    beforeEach(async () => {
      if (!server.cluster.running()) await server.cluster.start()
      await server.reconnect()
      await dropSlot(server.sql, 'source/a', 's')
      await server.sql.query('TRUNCATE t')
    })
    const insert = (from: number, to: number) =>
      server.sql.query(`INSERT INTO t SELECT g, repeat('x', 100) FROM generate_series(${from}, ${to}) g`)
    const currentLsn = async () =>
      parseLsn((await server.sql.query('SELECT pg_current_wal_insert_lsn() AS lsn')).rows[0].lsn)

    test('D04: an idle source reaches the position that was current, without waiting for a change', async () => {
      await server.createSlot()
      const stream = server.follow()
      // Nothing of it is published.
      await server.sql.query(
        'CREATE UNLOGGED TABLE unlogged (id int); INSERT INTO unlogged SELECT generate_series(1, 1000); DROP TABLE unlogged',
      )
      const lsn = await currentLsn()
      await server.sql.query('SELECT pg_current_xact_id()')
      const events = await takeUntil(stream, (event) => event.kind === 'position' && event.lsn >= lsn)
      assert.deepEqual(idsOf(events), [])
      await stream.close()
    })

    test('streaming gives the same rows as waiting for the commit, aborted parts left out', async () => {
      const results: string[][] = []
      for (const streaming of ['off', 'on', 'parallel'] as const) {
        await server.createSlot()
        await server.sql.query(
          `BEGIN; INSERT INTO t SELECT g, repeat('x', 100) FROM generate_series(1, 2000) g; SAVEPOINT a; INSERT INTO t SELECT g, repeat('x', 100) FROM generate_series(2001, 4000) g; ROLLBACK TO a; UPDATE t SET x = 'y' WHERE id < 1000; COMMIT`,
        )
        await server.sql.query(
          `BEGIN; INSERT INTO t SELECT g, repeat('x', 100) FROM generate_series(5000, 8000) g; ROLLBACK`,
        )
        await server.sql.query(
          `BEGIN; SELECT pg_logical_emit_message(true, 'crossfade.applied', '${migration}'); INSERT INTO t SELECT g, repeat('x', 100) FROM generate_series(5000, 8000) g; COMMIT`,
        )
        await server.sql.query('TRUNCATE t')
        const stream = server.follow({
          streaming,
          limits: { pieceRowsMax: 500, openTransactions: { memoryBytesMax: 100_000 } },
        })
        const events = await takeUntil(stream, (event) => isPiece(event) && idsOf([event]).includes('truncate'))
        results.push(idsOf(events))
        await stream.close()
        await dropSlot(server.sql, 'source/a', 's')
      }
      assert.equal(results[0]!.length, 2_000 + 999 + 1)
      assert.deepEqual(results[1], results[0])
      assert.deepEqual(results[2], results[0])
    })

    test('what is acknowledged is not sent again, what is not is', async () => {
      await server.createSlot()
      for (let i = 1; i <= 3; i++) await insert(i, i)
      const first = server.follow()
      const [event] = await takeUntil(first, isPiece).then((events) => events.filter(isPiece))
      assert.ok(event?.kind === 'piece')
      first.acknowledge({ flushed: event.piece.commitLsn, applied: event.piece.commitLsn })
      await first.close()
      assert.equal((await slotStatus(server.sql, 's'))!.confirmedFlushLsn, event.piece.commitLsn)
      const second = server.follow()
      const rest = await takeUntil(second, (each) => idsOf([each]).includes('3'))
      assert.deepEqual(idsOf(rest), ['2', '3'])
      await second.close()
      const third = server.follow({
        startAt: (rest.filter(isPiece)[0] as { piece: { commitLsn: typeof event.piece.commitLsn } }).piece.commitLsn,
      })
      assert.deepEqual(idsOf(await takeUntil(third, isPiece)), ['3'])
      await third.close()
    })

    test('D07: a killed walsender and a restarted server break the stream retryably, and nothing is lost', async () => {
      await server.createSlot()
      const seen = new Set<string>()
      let breaks = 0
      let applied = null as ReturnType<typeof parseLsn> | null
      let done = false
      const following = (async () => {
        while (!done) {
          const stream = server.follow({ startAt: applied })
          try {
            for await (const event of stream) {
              if (event.kind === 'piece') {
                for (const id of idsOf([event])) seen.add(id)
                if (event.piece.end) applied = event.piece.commitLsn
              }
              if (applied !== null) stream.acknowledge({ flushed: applied, applied })
              if (seen.has('3000')) done = true
              if (done) break
            }
          } catch (error) {
            assert.ok(isTransient(error), String(error))
            breaks += 1
            await new Promise((resolve) => setTimeout(resolve, 20))
          }
        }
      })()
      await insert(1, 500)
      await eventually(() => seen.has('500'))
      await server.sql.query('SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active')
      await insert(501, 1000)
      await eventually(() => seen.has('1000'))
      assert.ok(breaks >= 1)
      await server.cluster.kill()
      await server.cluster.start()
      await server.reconnect()
      await insert(1001, 2000)
      await eventually(() => seen.has('2000'))
      assert.ok(breaks >= 2)
      await server.cluster.stop('fast')
      await server.cluster.start()
      await server.reconnect()
      await insert(2001, 3000)
      await following
      assert.equal(seen.size, 3000)
    })

    test('a fast stop of the server does not wait for a consumer that lags', async () => {
      await server.createSlot()
      const stream = server.follow()
      await insert(1, 10)
      const first = (await takeUntil(stream, isPiece)).at(-1)!
      assert.ok(first.kind === 'piece')
      stream.acknowledge({ flushed: first.piece.commitLsn, applied: first.piece.commitLsn })
      await eventually(async () => (await slotStatus(server.sql, 's'))!.confirmedFlushLsn === first.piece.commitLsn)
      await insert(11, 20)
      await takeUntil(stream, isPiece)
      // The second is never acknowledged: a server would wait for that until its operator gives up.
      const broken = codeOf(takeUntil(stream, () => false))
      const stopped = server.cluster.stop('fast')
      assert.equal(await broken, 'CF3011')
      await stopped
      await server.cluster.start()
      await server.reconnect()
    })

    test('a slow consumer makes the server wait; memory stays within its bound', async () => {
      await server.createSlot()
      const bufferedBytesMax = 256 * 1024
      const replication = await openReplication({ shard: server.shard })
      await server.sql.query(`INSERT INTO t SELECT g, repeat('x', 1000) FROM generate_series(1, 20000) g`)
      const stream = await replication.startReplication({
        slot: 's',
        publication: 'p',
        startAt: null,
        binary: false,
        streaming: 'off',
        bufferedBytesMax,
      })
      let bytes = 0
      let most = 0
      while (bytes < 20_000_000) {
        const block = await stream.next()
        bytes += block!.bytes.length
        // Long enough that everything would have come if nothing held it back.
        if (bytes < 3_000_000) await new Promise((resolve) => setTimeout(resolve, 5))
        most = Math.max(most, stream.buffered)
      }
      assert.ok(most > bufferedBytesMax / 2, `${most} bytes were buffered`)
      assert.ok(most <= bufferedBytesMax + 128 * 1024, `${most} bytes were buffered`)
      await replication.close()
    })

    test('a clean end frees the slot, an abort rejects with its reason and frees it too', async () => {
      await server.createSlot()
      const stream = server.follow()
      await takeUntil(stream, (event) => event.kind === 'position')
      assert.equal((await slotStatus(server.sql, 's'))!.active, true)
      await stream.close()
      await eventually(async () => !(await slotStatus(server.sql, 's'))!.active)
      assert.deepEqual(await stream[Symbol.asyncIterator]().next(), { value: undefined, done: true })

      const controller = new AbortController()
      const aborted = server.follow({ signal: controller.signal })
      await takeUntil(aborted, (event) => event.kind === 'position')
      const waiting = takeUntil(aborted, () => false)
      controller.abort(new Error('the lease is lost'))
      await assert.rejects(waiting, /the lease is lost/)
      await assert.rejects(
        takeUntil(server.follow({ signal: controller.signal }), () => false),
        /the lease is lost/,
      )
      await eventually(async () => !(await slotStatus(server.sql, 's'))!.active)
    })

    test('a slot in use, a slot that is gone, a publication that is gone: each has its code', async () => {
      await server.createSlot()
      const first = server.follow()
      await takeUntil(first, (event) => event.kind === 'position')
      assert.equal(await codeOf(takeUntil(server.follow({ takeOver: false }), () => false)), 'CF3014')
      assert.equal(await codeOf(server.createSlot()), 'CF3021')
      await first.close()
      assert.equal(await codeOf(takeUntil(server.follow({ slot: 'nowhere' }), () => false)), 'CF3012')
      await insert(1, 1)
      assert.equal(await codeOf(takeUntil(server.follow({ publication: 'nowhere' }), () => false)), 'CF3015')
      await dropSlot(server.sql, 'source/a', 's')
      assert.equal(await codeOf(takeUntil(server.follow(), () => false)), 'CF3012')
      await server.sql.query('TRUNCATE t')
    })

    test('whoever comes next takes the slot over from a reader of ours that hangs, and from nobody else', async () => {
      await server.createSlot()
      const former = server.follow()
      await takeUntil(former, (event) => event.kind === 'position')
      const next = server.follow()
      await insert(1, 1)
      assert.deepEqual(idsOf(await takeUntil(next, isPiece)), ['1'])
      assert.equal(await codeOf(takeUntil(former, () => false)), 'CF3011')
      await next.close()
      const foreign = new pg.Client({
        connectionString: server.shard.url,
        application_name: 'somebody',
        replication: 'database',
      } as pg.ClientConfig)
      await foreign.connect()
      foreign.query("START_REPLICATION SLOT s LOGICAL 0/0 (proto_version '1', publication_names 'p')").catch(() => {})
      foreign.on('error', () => {})
      await eventually(async () => (await slotStatus(server.sql, 's'))!.active)
      assert.equal(await codeOf(takeUntil(server.follow(), () => false)), 'CF3014')
      await foreign.end()
    })

    test('a server that falls silent is given up', async () => {
      await server.createSlot()
      const proxy = await startFaultProxy({ target: { host: server.cluster.host, port: server.cluster.port } })
      try {
        await server.sql.query("ALTER SYSTEM SET wal_sender_timeout = '1s'")
        await server.sql.query('SELECT pg_reload_conf()')
        const url = new URL(server.shard.url)
        url.port = String(proxy.port)
        const stream = server.follow({ shard: { ...server.shard, url: url.href } })
        await takeUntil(stream, (event) => event.kind === 'position')
        // The server itself would go on for long: it is we who notice.
        await server.sql.query("ALTER SYSTEM SET wal_sender_timeout = '1h'")
        await server.sql.query('SELECT pg_reload_conf()')
        proxy.blackhole()
        assert.equal(await codeOf(takeUntil(stream, () => false)), 'CF3011')
      } finally {
        await proxy.close()
        await server.sql.query('ALTER SYSTEM RESET wal_sender_timeout')
        await server.sql.query('SELECT pg_reload_conf()')
      }
    })

    test('a slot that stands past what was applied fails closed when asked to', async () => {
      await server.createSlot()
      await insert(1, 1)
      const applied = (await slotStatus(server.sql, 's'))!.confirmedFlushLsn!
      await server.sql.query("SELECT pg_replication_slot_advance('s', pg_current_wal_lsn())")
      assert.equal(await codeOf(takeUntil(server.follow({ startAt: applied, gapless: true }), () => false)), 'CF3020')
    })

    test('a table that changed its shape while nobody followed is told', async () => {
      await server.createSlot()
      await server.sql.query('CREATE TABLE shaped (id int PRIMARY KEY, x varchar(20), n numeric(12,2))')
      const columns = [
        { name: 'id', type: 'integer' },
        { name: 'x', type: 'character varying(20)' },
        { name: 'n', type: 'numeric(12,2)' },
      ]
      const tables = [{ schema: 'public', name: 'shaped', columns }]
      await server.sql.query('INSERT INTO shaped VALUES (1)')
      const first = server.follow({ tables })
      assert.deepEqual(
        (await takeUntil(first, isPiece)).filter(({ kind }) => kind === 'relationChanged'),
        [],
      )
      await first.close()
      await server.sql.query("SELECT pg_replication_slot_advance('s', pg_current_wal_lsn())")
      await server.sql.query('ALTER TABLE shaped ALTER n TYPE text; INSERT INTO shaped VALUES (2)')
      const second = server.follow({ tables })
      const changed = (await takeUntil(second, isPiece)).find(({ kind }) => kind === 'relationChanged')
      await second.close()
      assert.deepEqual(changed, {
        kind: 'relationChanged',
        schema: 'public',
        name: 'shaped',
        before: ['id int4', 'x varchar', 'n numeric'],
        after: ['id int4 key', 'x varchar(20)', 'n text'],
      })
    })

    test('an exported snapshot shows what was before the slot, and lasts as long as its connection', async () => {
      await insert(1, 5)
      const replication = await openReplication({ shard: server.shard })
      const slot = await replication.createSlot({ slot: 'temporary', temporary: true })
      await insert(6, 9)
      const look = async () => {
        await server.sql.query(`BEGIN ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION SNAPSHOT '${slot.snapshotName}'`)
        const { rows } = await server.sql.query('SELECT count(*) AS n FROM t')
        return rows[0].n as string
      }
      assert.equal(await look(), '5')
      await server.sql.query('ROLLBACK')
      const lost = codeOf(replication.lost)
      await server.sql.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'crossfade%' AND backend_type = 'walsender'",
      )
      assert.equal(await lost, 'CF3011')
      await eventually(() =>
        look().then(
          () => false,
          () => true,
        ),
      )
      await server.sql.query('ROLLBACK')
      assert.equal(await slotStatus(server.sql, 'temporary'), null)
      await replication.close()
    })

    test('prepared transactions come when they commit, also after a break in between', {
      skip: version < 15,
    }, async () => {
      await server.createSlot('s', { twoPhase: true })
      await server.sql.query("BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'held'")
      await insert(2, 2)
      const first = server.follow({ twoPhase: true })
      const early = await takeUntil(first, (event) => idsOf([event]).includes('2'))
      const last = early.at(-1)!
      assert.ok(last.kind === 'piece')
      first.acknowledge({ flushed: last.piece.commitLsn, applied: last.piece.commitLsn })
      await first.close()
      await server.sql.query("COMMIT PREPARED 'held'")
      const second = server.follow({ twoPhase: true, startAt: null })
      assert.deepEqual(idsOf(await takeUntil(second, (event) => idsOf([event]).includes('1'))).at(-1), '1')
      await second.close()
    })
  })
}

describe('servers that cannot be followed', () => {
  test('no free slot: CF3016; lost history: CF3013, and it fails closed', async () => {
    const server = await startStreamServer(18, {
      max_replication_slots: '1',
      max_slot_wal_keep_size: '1MB',
      max_wal_size: '32MB',
      min_wal_size: '32MB',
    })
    try {
      await server.sql.query('CREATE TABLE t (id int PRIMARY KEY, x text)')
      await server.createSlot()
      assert.equal(await codeOf(server.createSlot('another')), 'CF3016')
      for (let i = 0; !(await slotStatus(server.sql, 's'))!.lost; i++) {
        await server.sql.query(`INSERT INTO t VALUES (${i}, '')`)
        await server.sql.query('SELECT pg_switch_wal()')
        await server.sql.query('CHECKPOINT')
      }
      assert.equal(await codeOf(takeUntil(server.follow(), () => false)), 'CF3013')
    } finally {
      await server.close()
    }
  })

  test('wal_level that is not logical: CF3017', async () => {
    const server = await startStreamServer(16, { wal_level: 'replica' })
    try {
      assert.equal(await codeOf(server.createSlot()), 'CF3017')
    } finally {
      await server.close()
    }
  })

  test('binary cells and a role without a superuser: REPLICATION and ownership are enough', async () => {
    const server = await startStreamServer(18)
    try {
      await server.cluster.createRole('mover', { replication: true })
      await server.sql.query('CREATE TABLE t (id int PRIMARY KEY, x text)')
      const shard = { ...server.shard, url: server.cluster.url({ user: 'mover' }) }
      const replication = await openReplication({ shard })
      await replication.createSlot({ slot: 's' })
      await replication.close()
      await server.sql.query("INSERT INTO t VALUES (7, 'x')")
      const stream = server.follow({ shard, binary: true })
      const piece = (await takeUntil(stream, isPiece)).at(-1)!
      assert.ok(piece.kind === 'piece' && piece.piece.rows[0]!.tag === 'insert')
      assert.deepEqual(textOf(piece.piece.rows[0]!.after), ['0x00000007', '0x78'])
      await stream.close()
    } finally {
      await server.close()
    }
  })
})
