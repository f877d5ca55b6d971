import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { PgoutputMessage } from './message.ts'
import { type StreamServer, startStreamServer, textOf } from './stream-testing.ts'

for (const version of [14, 16, 17, 18] as const) {
  describe(`streams of PostgreSQL ${version}`, () => {
    let server: StreamServer
    before(async () => {
      server = await startStreamServer(version, { logical_decoding_work_mem: '64kB' })
    })
    after(() => server?.close())

    test('plain transactions: begin, relation, insert, update, delete, commit', async () => {
      await server.sql.query('CREATE TABLE plain (id int PRIMARY KEY, x text, y int)')
      const messages = await server.record(
        "INSERT INTO plain VALUES (1, 'a', NULL), (2, '', 3); UPDATE plain SET y = 9 WHERE id = 1; UPDATE plain SET id = 5 WHERE id = 2; DELETE FROM plain WHERE id = 1",
      )
      assert.deepEqual(
        messages.map(({ tag }) => tag),
        ['begin', 'relation', 'insert', 'insert', 'update', 'update', 'delete', 'commit'],
      )
      const [begin, relation, first, second, update, moved, deleted, commit] = messages as [
        Of<'begin'>,
        Of<'relation'>,
        Of<'insert'>,
        Of<'insert'>,
        Of<'update'>,
        Of<'update'>,
        Of<'delete'>,
        Of<'commit'>,
      ]
      assert.equal(commit.commitLsn, begin.finalLsn)
      assert.ok(commit.endLsn > commit.commitLsn)
      assert.deepEqual(
        relation.relation.columns.map(({ name, typeOid, key }) => [name, typeOid, key]),
        [
          ['id', 23, true],
          ['x', 25, false],
          ['y', 23, false],
        ],
      )
      assert.equal(relation.relation.replicaIdentity, 'default')
      assert.equal(first.relation, relation.relation)
      assert.deepEqual(textOf(first.after), ['1', 'a', null])
      assert.deepEqual(textOf(second.after), ['2', '', '3'])
      assert.equal(update.before, null)
      assert.deepEqual(textOf(update.after), ['1', 'a', '9'])
      assert.equal(moved.before?.kind, 'key')
      assert.deepEqual(textOf(moved.before!.tuple), ['2', null, null])
      assert.deepEqual(textOf(moved.after), ['5', '', '3'])
      assert.equal(deleted.before.kind, 'key')
      assert.deepEqual(textOf(deleted.before.tuple), ['1', null, null])
    })

    test('D08: an unchanged TOAST value is not sent, and told from null and empty', async () => {
      await server.sql.query(
        'CREATE TABLE toasted (id int PRIMARY KEY, big text, n int); ALTER TABLE toasted ALTER big SET STORAGE EXTERNAL',
      )
      const messages = await server.record(
        "INSERT INTO toasted VALUES (1, repeat('x', 10000), 1); UPDATE toasted SET n = 2; UPDATE toasted SET id = 2; UPDATE toasted SET big = ''; UPDATE toasted SET big = NULL",
      )
      const updates = all(messages, 'update').map(({ after: row }) => textOf(row))
      assert.deepEqual(updates, [
        ['1', '<unchanged>', '2'],
        ['2', '<unchanged>', '2'],
        ['2', '', '2'],
        ['2', null, '2'],
      ])
    })

    test('replica identity full and index', async () => {
      await server.sql.query(`
        CREATE TABLE everything (a int, b text); ALTER TABLE everything REPLICA IDENTITY FULL;
        CREATE TABLE indexed (a int, b text NOT NULL, c int NOT NULL);
        CREATE UNIQUE INDEX indexed_key ON indexed (c, b); ALTER TABLE indexed REPLICA IDENTITY USING INDEX indexed_key`)
      const messages = await server.record(
        "INSERT INTO everything VALUES (1, 'x'), (NULL, NULL); UPDATE everything SET b = 'y' WHERE a = 1; DELETE FROM everything; INSERT INTO indexed VALUES (1, 'x', 2); UPDATE indexed SET a = 5; UPDATE indexed SET c = 3; DELETE FROM indexed",
      )
      const full = all(messages, 'relation').find(({ relation }) => relation.name === 'everything')!.relation
      assert.equal(full.replicaIdentity, 'full')
      assert.ok(full.columns.every(({ key }) => key))
      const index = all(messages, 'relation').find(({ relation }) => relation.name === 'indexed')!.relation
      assert.equal(index.replicaIdentity, 'index')
      assert.deepEqual(
        index.columns.map(({ key }) => key),
        [false, true, true],
      )
      assert.deepEqual(
        all(messages, 'update').map(({ before: row }) => row && [row.kind, ...textOf(row.tuple)]),
        [['full', '1', 'x'], null, ['key', null, 'x', '2']],
      )
      assert.deepEqual(
        all(messages, 'delete').map(({ before: row }) => [row.kind, ...textOf(row.tuple)]),
        [
          ['full', null, null],
          ['full', '1', 'y'],
          ['key', null, 'x', '3'],
        ],
      )
    })

    test('cells of every kind of type, in text and in binary, are those that the server prints', async () => {
      await server.sql.query(`
        CREATE TYPE mood AS ENUM ('sad', 'it''s "fine"'); CREATE DOMAIN positive AS int CHECK (value > 0); CREATE TYPE pair AS (a int, b text);
        CREATE TABLE kinds (id int PRIMARY KEY, m mood, d positive, p pair, i int[], t text[], n numeric, f float8, ts timestamptz, b bytea, j jsonb, u uuid, r int4range, o bool, e text, nothing text)`)
      const insert = `INSERT INTO kinds VALUES (1, 'it''s "fine"', 5, ROW(1, 'a,b'), '{1,NULL,3}', '{"a b",NULL,""}', 123.4500, 'NaN', '2024-02-29 23:59:59.999999+05', '\\x00ff', '{"a": [1, null]}', 'b6f0c9d2-64a5-4f0e-9b53-0c1d2e3f4a5b', '[1,5)', true, '', NULL)`
      const text = await server.record(insert)
      const { rows } = await server.sql.query('SELECT * FROM kinds')
      assert.deepEqual(textOf(all(text, 'insert')[0]!.after), Object.values(rows[0] as object))
      // A domain is described by the type under it.
      const described = all(text, 'type').map(({ schema, name }) => `${schema}.${name}`)
      assert.deepEqual(described.sort(), ['pg_catalog.int4', 'public.mood', 'public.pair'])

      await server.sql.query('DELETE FROM kinds')
      const binary = await server.record(insert, { binary: true })
      const columns = await server.sql.query(
        `SELECT format('%s(%I)', t.typsend, a.attname) AS send FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid WHERE attrelid = 'kinds'::regclass AND attnum > 0 ORDER BY attnum`,
      )
      const sent = await server.sql.query({
        text: `SELECT ${columns.rows.map(({ send }: { send: string }) => send).join(', ')} FROM kinds`,
        rowMode: 'array',
      })
      const wanted = (sent.rows[0] as unknown as (string | null)[]).map((cell) =>
        cell === null ? null : cell.replace('\\x', '0x'),
      )
      assert.deepEqual(textOf(all(binary, 'insert')[0]!.after), wanted)
    })

    test('truncate of several tables', async () => {
      await server.sql.query(
        'CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id serial PRIMARY KEY, parent int REFERENCES parent)',
      )
      const messages = await server.record('TRUNCATE parent CASCADE; TRUNCATE child RESTART IDENTITY')
      const summary = all(messages, 'truncate').map(({ relations, cascade, restartIdentity }) => [
        relations.map(({ name }) => name).sort(),
        cascade,
        restartIdentity,
      ])
      assert.deepEqual(summary, [
        [['child', 'parent'], true, false],
        [['child'], false, true],
      ])
    })

    test('logical messages and origins', async () => {
      const messages = await server.record([
        "SELECT pg_logical_emit_message(false, 'loose', 'not in a transaction')",
        "BEGIN; SELECT pg_logical_emit_message(true, 'tight', 'é'); COMMIT",
        "SELECT pg_replication_origin_create('elsewhere'), pg_replication_origin_session_setup('elsewhere')",
        "BEGIN; INSERT INTO plain VALUES (100); SELECT pg_replication_origin_xact_setup('0/ABC', now()); COMMIT",
        'SELECT pg_replication_origin_session_reset()',
      ])
      const said = all(messages, 'message').map(({ prefix, content, transactional }) => [
        prefix,
        content.toString(),
        transactional,
      ])
      assert.deepEqual(said, [
        ['loose', 'not in a transaction', false],
        ['tight', 'é', true],
      ])
      const origin = all(messages, 'origin')
      assert.deepEqual(
        origin.map(({ name, originLsn }) => [name, originLsn]),
        [['elsewhere', 0xabcn]],
      )
      assert.equal(messages[messages.indexOf(origin[0]!) - 1]!.tag, 'begin')
    })

    test("D19: changes of partitions come under the root's name", async () => {
      await server.sql.query(`
        CREATE TABLE root (id int, at int, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
        CREATE TABLE leaf_1 PARTITION OF root FOR VALUES FROM (0) TO (10);
        CREATE TABLE leaf_2 (extra int, at int NOT NULL, id int NOT NULL); ALTER TABLE leaf_2 DROP COLUMN extra; ALTER TABLE root ATTACH PARTITION leaf_2 FOR VALUES FROM (10) TO (20)`)
      const messages = await server.record(
        'INSERT INTO root VALUES (1, 5), (2, 15); UPDATE root SET at = 16 WHERE id = 1; DELETE FROM leaf_2 WHERE id = 2; TRUNCATE root',
      )
      const rows = messages.flatMap((message) =>
        'relation' in message && message.tag !== 'relation' ? [`${message.tag} ${message.relation.name}`] : [],
      )
      assert.deepEqual(rows, ['insert root', 'insert root', 'delete root', 'insert root', 'delete root'])
      assert.deepEqual(
        all(messages, 'insert').map(({ after: row }) => textOf(row)),
        [
          ['1', '5'],
          ['2', '15'],
          ['1', '16'],
        ],
      )
      assert.ok(all(messages, 'truncate').some(({ relations }) => relations.some(({ name }) => name === 'root')))
    })

    test('streamed transactions, with sub-transactions that abort', async () => {
      await server.sql.query('CREATE TABLE streamed (id int PRIMARY KEY, x text)')
      const rows = (from: number, to: number) =>
        `INSERT INTO streamed SELECT g, repeat('x', 200) FROM generate_series(${from}, ${to}) g`
      const streaming = version >= 16 ? 'parallel' : 'on'
      const messages = await server.record(
        [
          `BEGIN; ${rows(1, 1000)}; SAVEPOINT one; ${rows(1001, 2000)}; ROLLBACK TO one; ${rows(2001, 3000)}; SELECT pg_logical_emit_message(true, 'inside', ''); COMMIT`,
          `BEGIN; ${rows(5001, 6000)}; ROLLBACK`,
        ],
        { streaming },
      )
      const starts = all(messages, 'streamStart')
      assert.ok(starts.length >= 2 && starts[0]!.firstSegment && !starts[1]!.firstSegment)
      assert.equal(all(messages, 'streamStop').length, starts.length)
      const commits = all(messages, 'streamCommit')
      assert.equal(commits.length, 1)
      const aborts = all(messages, 'streamAbort').filter(({ xid }) => xid === commits[0]!.xid)
      assert.ok(aborts.length >= 1)
      assert.equal(aborts[0]!.abortLsn !== null, streaming === 'parallel')
      const aborted = new Set(aborts.map(({ subXid }) => subXid))
      const kept = all(messages, 'insert').filter(({ xid }) => !aborted.has(xid!) && Number(xid) >= commits[0]!.xid)
      const ids = kept.map(({ after: row }) => Number(textOf(row)[0])).filter((id) => id <= 5000)
      assert.deepEqual(ids, [...range(1, 1000), ...range(2001, 3000)])
      assert.equal(all(messages, 'message')[0]!.xid !== null, true)
    })

    test('two-phase transactions', { skip: version < 15 }, async () => {
      await server.sql.query('CREATE TABLE prepared (id int PRIMARY KEY, x text)')
      const messages = await server.record(
        [
          "BEGIN; INSERT INTO prepared VALUES (1); PREPARE TRANSACTION 'one'",
          "COMMIT PREPARED 'one'",
          "BEGIN; INSERT INTO prepared VALUES (2); PREPARE TRANSACTION 'two'",
          "ROLLBACK PREPARED 'two'",
          "BEGIN; INSERT INTO prepared SELECT g, repeat('x', 200) FROM generate_series(10, 1000) g; PREPARE TRANSACTION 'large'",
          "COMMIT PREPARED 'large'",
        ],
        { twoPhase: true, streaming: 'on' },
      )
      const prepares = messages.filter(
        (
          message,
        ): message is Of<'beginPrepare' | 'prepare' | 'streamPrepare' | 'commitPrepared' | 'rollbackPrepared'> =>
          'gid' in message,
      )
      assert.deepEqual(
        prepares.map(({ tag, gid }) => `${tag} ${gid}`),
        [
          'beginPrepare one',
          'prepare one',
          'commitPrepared one',
          'beginPrepare two',
          'prepare two',
          'rollbackPrepared two',
          'streamPrepare large',
          'commitPrepared large',
        ],
      )
    })
  })
}

type Of<Tag extends PgoutputMessage['tag']> = Extract<PgoutputMessage, { tag: Tag }>

function all<Tag extends PgoutputMessage['tag']>(messages: readonly PgoutputMessage[], tag: Tag): Of<Tag>[] {
  return messages.filter((message): message is Of<Tag> => message.tag === tag)
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i)
}
