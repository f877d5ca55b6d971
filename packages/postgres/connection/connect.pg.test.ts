import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { inspect } from 'node:util'
import { type Cluster, startCluster } from '@crossfade/embedded/cluster.ts'
import { Failure } from '@crossfade/model/failure.ts'
import { asMigrationId, asShardId } from '@crossfade/model/ids.ts'
import type { SecretReference } from '@crossfade/pipeline/resolved-plan.ts'
import { readChanges } from '../changes/read.ts'
import { openReplication } from '../changes/replication-connection.ts'
import { dropSlot } from '../changes/slots.ts'
import { type ConnectionOptions, connect, writerSession } from './connect.ts'
import { createPool } from './pool.ts'
import { retrying } from './retry.ts'

const password = 'p@ss/w0rd:%41'
let cluster: Cluster

before(async () => {
  cluster = await startCluster({
    version: 18,
    password,
    settings: { max_connections: '12', superuser_reserved_connections: '2', reserved_connections: '0' },
  })
  await cluster.createRole('mover', { password })
})
after(() => cluster?.destroy())

const secret: SecretReference = { from: 'environment', variable: 'SHARD_PASSWORD', holds: 'password' }
const secrets = { environment: { SHARD_PASSWORD: password }, readFile: () => password }

function options(
  more: {
    user?: string
    database?: string
    port?: number
    query?: string
    url?: string
  } & Partial<ConnectionOptions> = {},
): ConnectionOptions {
  const { user = 'mover', database = 'postgres', port = cluster.port, query = '', url, ...rest } = more
  return {
    shard: {
      id: asShardId('source/a'),
      url: url ?? `postgres://${user}@127.0.0.1:${port}/${database}${query}`,
      secret,
    },
    secrets,
    ...rest,
  }
}

async function failureOf(promise: Promise<unknown>): Promise<Failure> {
  const error = await promise.then(
    () => assert.fail('it should have failed'),
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof Failure, inspect(error))
  for (const secretText of [password, encodeURIComponent(password)]) {
    assert.ok(!inspect(error, { depth: 10, showHidden: true }).includes(secretText), 'the password leaked')
    assert.ok(!JSON.stringify(error.details).includes(secretText))
  }
  return error
}

test('a session has fixed settings and gives raw text', async () => {
  const client = await connect(options({ purpose: 'test' }))
  const { rows } = await client.query(
    `SELECT 1 AS i, true AS b, '2024-01-02 03:04:05.678901+02'::timestamptz AS t, 0.1::float8 AS f, NULL AS n, '{"a": 1}'::jsonb AS j,
       current_setting('application_name') AS application, current_setting('row_security') AS row_security,
       current_setting('client_connection_check_interval') AS check, current_setting('transaction_isolation') AS isolation`,
  )
  assert.deepEqual(rows[0], {
    i: '1',
    b: 't',
    t: '2024-01-02 01:04:05.678901+00',
    f: '0.1',
    n: null,
    j: '{"a": 1}',
    application: 'crossfade test',
    row_security: 'off',
    check: '1s',
    isolation: 'read committed',
  })
  await client.query('RESET ALL')
  assert.equal((await client.query('SHOW TimeZone')).rows[0].TimeZone, 'UTC')
  await client.end()
})

test('a database is found by its name, whatever signs are in it', async () => {
  const name = `Base's "1" %2F/?#&;:@=+,$ ü`
  await cluster.createDatabase(name)
  const client = await connect(options({ database: encodeURIComponent(name) }))
  assert.equal((await client.query('SELECT current_database() AS name')).rows[0].name, name)
  await client.end()
  await cluster.dropDatabase(name)
})

test("settings of a role do not win over the session's", async () => {
  const superuser = await connect(options({ user: 'postgres' }))
  await superuser.query(
    `ALTER ROLE mover SET statement_timeout = 1; ALTER ROLE mover SET default_transaction_isolation = 'serializable'; ALTER ROLE mover SET DateStyle = 'German'`,
  )
  const client = await connect(options())
  const { rows } = await client.query(
    "SELECT pg_sleep(0.01), current_setting('statement_timeout') AS t, current_setting('transaction_isolation') AS i, '2024-01-02'::date AS d",
  )
  assert.deepEqual([rows[0].t, rows[0].i, rows[0].d], ['0', 'read committed', '2024-01-02'])
  await superuser.query('ALTER ROLE mover RESET ALL')
  await Promise.all([client.end(), superuser.end()])
})

test('each kind of connection trouble has its code, and none shows the password', async () => {
  const closed = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => closed.once('listening', resolve))
  const { port } = closed.address() as { port: number }
  await new Promise((resolve) => closed.close(resolve))
  const cases: [string, ConnectionOptions][] = [
    ['CF2001', options({ port })],
    ['CF2010', options({ secrets: { ...secrets, environment: { SHARD_PASSWORD: 'wrong' } } })],
    ['CF2010', { ...options(), shard: { ...options().shard, secret: null } }],
    ['CF2010', options({ user: 'nobody' })],
    ['CF2011', options({ database: 'nowhere' })],
    ['CF2012', options({ query: '?sslmode=require' })],
    ['CF2014', options({ replication: true })],
    ['CF2015', options({ url: 'mysql://mover@127.0.0.1/x' })],
    ['CF2015', options({ url: `postgres://mover:${encodeURIComponent(password)}@127.0.0.1:70000/x` })],
    ['CF2015', options({ query: '?sslmode=verify-full&sslrootcert=/nowhere.pem' })],
    ['CF1003', options({ secrets: { ...secrets, environment: {} } })],
  ]
  for (const [code, each] of cases) {
    const failure = await failureOf(connect(each).then((client) => client.end()))
    assert.equal(failure.code, code, `${failure.message}`)
    assert.equal(failure.retry, code === 'CF2001')
  }
})

test('a pooler in front of the server is told from the server', async () => {
  const fields = 'SFATAL\0C08P01\0Munsupported startup parameter: options\0\0'
  const length = Buffer.alloc(4)
  length.writeUInt32BE(4 + fields.length)
  const pooler = createServer((socket) =>
    socket.once('data', () => socket.end(Buffer.concat([Buffer.from('E'), length, Buffer.from(fields)]))),
  )
  pooler.listen(0, '127.0.0.1')
  await once(pooler, 'listening')
  const { port } = pooler.address() as { port: number }
  assert.equal((await failureOf(connect(options({ port })))).code, 'CF2018')
  pooler.close()
})

test('encrypted: encryption alone when it is required, the certificate too when it is to be verified', {
  skip: !hasOpenssl(),
}, async () => {
  const superuser = await connect(options({ user: 'postgres' }))
  const data = (await superuser.query('SHOW data_directory')).rows[0].data_directory as string
  const { uid, gid } = statSync(data)
  const [key, certificate] = [join(data, 'server.key'), join(data, 'server.crt')]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...subject, '-keyout', key, '-out', certificate],
    { stdio: 'ignore' },
  )
  for (const path of [key, certificate]) {
    chownSync(path, uid, gid)
    chmodSync(path, 0o600)
  }
  await superuser.query('ALTER SYSTEM SET ssl = on')
  await superuser.query('SELECT pg_reload_conf()')
  while ((await superuser.query('SHOW ssl')).rows[0].ssl !== 'on')
    await new Promise((resolve) => setTimeout(resolve, 10))
  await superuser.end()
  const encrypted = (query: string) =>
    connect(options({ url: `postgres://mover@localhost:${cluster.port}/postgres?${query}` }))
  for (const query of ['sslmode=require', `sslmode=verify-full&sslrootcert=${encodeURIComponent(certificate)}`]) {
    const client = await encrypted(query)
    assert.equal((await client.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')).rows[0].ssl, 't')
    await client.end()
  }
  assert.equal((await failureOf(encrypted('sslmode=verify-full'))).code, 'CF2012')

  // The stream takes the encrypted socket over just as a plain one.
  const shard = { ...options({ user: 'postgres', query: '?sslmode=require' }).shard }
  const sql = await connect({ shard, secrets })
  await sql.query('CREATE TABLE streamed (id int PRIMARY KEY); CREATE PUBLICATION streamed FOR TABLE streamed')
  const replication = await openReplication({ shard, secrets })
  await replication.createSlot({ slot: 'streamed' })
  await replication.close()
  await sql.query('INSERT INTO streamed SELECT generate_series(1, 20000)')
  const migration = asMigrationId('mig_0123456789ab')
  const stream = readChanges({ shard, secrets, slot: 'streamed', publication: 'streamed', startAt: null, migration })
  let rows = 0
  for await (const event of stream) {
    if (event.kind === 'piece') rows += event.piece.rows.length
    if (rows === 20_000) break
  }
  await dropSlot(sql, 'source/a', 'streamed')
  await sql.end()
})

test('a whole URL may come from the secret, and a password from a file', async () => {
  const url = `postgres://mover:${encodeURIComponent(password)}@127.0.0.1:${cluster.port}/postgres`
  const byUrl = await connect({
    shard: {
      id: asShardId('source/a'),
      url: 'postgres://elsewhere/',
      secret: { from: 'environment', variable: 'URL', holds: 'url' },
    },
    secrets: { ...secrets, environment: { URL: url } },
  })
  await byUrl.end()
  const byFile = await connect({
    shard: { ...options().shard, secret: { from: 'file', path: '/run/secrets/x', holds: 'password' } },
    secrets: { environment: {}, readFile: () => `${password}\n` },
  })
  await byFile.end()
})

test('too many connections is told apart, and may be tried again', async () => {
  const open: Awaited<ReturnType<typeof connect>>[] = []
  try {
    let failure: Failure | undefined
    for (let i = 0; i < 20 && !failure; i++) {
      await connect(options()).then(
        (client) => open.push(client),
        (error: Failure) => {
          failure = error
        },
      )
    }
    assert.equal(failure?.code, 'CF2013')
    assert.equal(failure?.retry, true)
  } finally {
    await Promise.all(open.map((client) => client.end()))
  }
})

test('a writer is marked, and says whether triggers are off', async () => {
  const writer = asMigrationId('mig_0123456789ab')
  for (const [user, replicaRole] of [
    ['postgres', true],
    ['mover', false],
  ] as const) {
    const client = await connect(options({ user, writer }))
    assert.deepEqual(writerSession(client), { replicaRole })
    assert.equal((await client.query("SELECT current_setting('crossfade.writer') AS w")).rows[0].w, writer)
    await client.end()
  }
})

test('a transaction commits or rolls back, and the pool stays within its bound', async () => {
  const pool = createPool({ ...options({ user: 'postgres' }), connectionsMax: 2, waitMs: 100 })
  await pool.withConnection((client) => client.query('CREATE TABLE kept (i int)'))
  await pool.withTransaction((client) => client.query('INSERT INTO kept VALUES (1)'))
  await assert.rejects(
    pool.withTransaction(async (client) => {
      await client.query('INSERT INTO kept VALUES (2)')
      throw new Error('changed my mind')
    }),
    /changed my mind/,
  )
  await assert.rejects(
    pool.withTransaction((client) => client.query('SELECT 1/0')),
    { code: '22012' },
  )
  const { rows } = await pool.withConnection((client) => client.query('SELECT array_agg(i) AS a FROM kept'))
  assert.equal(rows[0].a, '{1}')

  let open!: () => void
  const held = new Promise<void>((resolve) => {
    open = resolve
  })
  const holders = [pool.withConnection(() => held), pool.withConnection(() => held)]
  assert.equal((await failureOf(pool.withConnection(async () => {}))).code, 'CF2017')
  open()
  await Promise.all(holders)
  await pool.end()
})

test('a session left in a transaction is not given to the next', async () => {
  const pool = createPool({ ...options(), connectionsMax: 1 })
  const first = await pool.withConnection(async (client) => {
    await client.query('BEGIN')
    return (await client.query('SELECT pg_backend_pid() AS pid')).rows[0].pid
  })
  const second = await pool.withConnection(
    async (client) => (await client.query('SELECT pg_backend_pid() AS pid')).rows[0].pid,
  )
  assert.notEqual(first, second)
  await pool.end()
})

test('an abort cuts the connection and the statement ends on the server', async () => {
  const pool = createPool({ ...options({ user: 'postgres' }), connectionsMax: 2 })
  const controller = new AbortController()
  const slow = pool.withTransaction((client) => client.query('SELECT pg_sleep(60) AS very_slow'), {
    signal: controller.signal,
  })
  const running = () =>
    pool.withConnection(
      async (client) =>
        (
          await client.query(
            "SELECT count(*) AS n FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%very_slow' AND pid <> pg_backend_pid()",
          )
        ).rows[0].n,
    )
  while ((await running()) !== '1') await new Promise((resolve) => setTimeout(resolve, 10))
  controller.abort(new Error('the lease is lost'))
  await assert.rejects(slow, /the lease is lost/)
  while ((await running()) !== '0') await new Promise((resolve) => setTimeout(resolve, 50))
  await assert.rejects(
    pool.withConnection(async () => {}, { signal: controller.signal }),
    /the lease is lost/,
  )
  await pool.end()
})

test('D07: a restart of the server breaks what runs with CF2016 and is ridden out by a retry', async () => {
  const pool = createPool({ ...options(), connectionsMax: 2 })
  const running = failureOf(pool.withConnection((client) => client.query('SELECT pg_sleep(60)')))
  const sleeping = "SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
  while ((await pool.withConnection((client) => client.query(sleeping))).rows[0].n !== '1')
    await new Promise((resolve) => setTimeout(resolve, 10))
  await cluster.stop('fast')
  const failure = await running
  assert.equal(failure.code, 'CF2016')
  assert.equal(failure.retry, true)
  const retried = retrying(() => pool.withConnection((client) => client.query('SELECT 42 AS answer')))
  await cluster.start()
  assert.equal((await retried).rows[0].answer, '42')
  await pool.end()
})

function hasOpenssl(): boolean {
  return spawnSync('openssl', ['version']).status === 0
}
