import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Cluster, startCluster } from '@crossfade/embedded/cluster.ts'
import { sharedTestCluster } from '@crossfade/embedded/testing.ts'
import { checkCapacity } from '@crossfade/plan/doctor/capacity.ts'
import { examine } from '@crossfade/plan/doctor.ts'
import { reversible } from '@crossfade/plan/transform/transformer.ts'
import { postgresCatalogs } from '@crossfade/postgres/source/catalog.ts'
import pg from 'pg'
import { databaseWith, execute, findingsOf, planOf, resolved } from './testing/databases.ts'

const ends: (() => Promise<unknown>)[] = []
after(async () => {
  for (const end of ends.reverse()) await end()
})

async function database(sql = ''): Promise<string> {
  const { url, drop } = await databaseWith(sql)
  ends.push(drop)
  return url
}

type Found = Awaited<ReturnType<typeof findingsOf>>

function has(findings: Found, code: string, severity: string, says: RegExp): void {
  const found = findings.filter((finding) => finding.code === code)
  assert.ok(
    found.some((finding) => finding.severity === severity && says.test(finding.message)),
    `${code} ${severity} ${says} in\n${findings.map((finding) => `${finding.code} ${finding.severity} ${finding.message}`).join('\n')}`,
  )
  for (const finding of found) {
    assert.ok(finding.remedy.length > 10)
    assert.doesNotMatch(`${finding.message} ${finding.remedy}`, /\{\w+\}|unknown|undefined/, 'everything is filled in')
  }
}

/** The table that most cases start from. */
const users =
  'CREATE TABLE tenants (id int PRIMARY KEY); CREATE TABLE users (id serial PRIMARY KEY, tenant_id int REFERENCES tenants);'

test('a healthy pair has nothing that blocks', async () => {
  const findings = await findingsOf({ source: await database(users), target: await database() })
  assert.deepEqual(
    findings.filter(({ severity }) => severity === 'block'),
    [],
  )
})

/** What is wrong with a single source or its target: SQL on the source, SQL on the target, the plan's rest, the finding. */
const single: [string, string, string, object, string, string, RegExp][] = [
  ['a table without key', 'CREATE TABLE t (a int)', '', {}, 'CF2109', 'warn', /public\.t has no primary key/],
  [
    'an unlogged table',
    'CREATE UNLOGGED TABLE t (a int PRIMARY KEY)',
    '',
    {},
    'CF2110',
    'block',
    /public\.t is unlogged/,
  ],
  [
    'large objects',
    'CREATE TABLE t (a int PRIMARY KEY); SELECT lo_create(0)',
    '',
    {},
    'CF2111',
    'block',
    /holds 1 large objects/,
  ],
  [
    'large objects that are carried by hand',
    'CREATE TABLE t (a int PRIMARY KEY); SELECT lo_create(0)',
    '',
    { schema: { largeObjects: 'ignore' } },
    'CF2111',
    'note',
    /large objects/,
  ],
  [
    'a type that cannot be carried',
    'CREATE TABLE t (a int PRIMARY KEY, p pg_node_tree)',
    '',
    {},
    'CF2112',
    'block',
    /column p of public\.t has the type pg_node_tree/,
  ],
  [
    'an event trigger',
    "CREATE TABLE t (a int PRIMARY KEY); CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION f()",
    '',
    {},
    'CF2116',
    'warn',
    /event trigger watch/,
  ],
  [
    'a table that is on the target already',
    'CREATE TABLE t (a int PRIMARY KEY)',
    'CREATE TABLE t (a int PRIMARY KEY)',
    {},
    'CF2117',
    'block',
    /public\.t already exists on target\/main and holds no rows/,
  ],
  [
    'a target table that holds rows',
    'CREATE TABLE t (a int PRIMARY KEY)',
    'CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1)',
    { schema: { mode: 'existing' } },
    'CF2117',
    'block',
    /holds rows|holds about/,
  ],
  [
    'a target table that is missing',
    'CREATE TABLE t (a int PRIMARY KEY)',
    '',
    { schema: { mode: 'existing' } },
    'CF2136',
    'block',
    /has no table for public\.t/,
  ],
  [
    'a target column that is missing',
    'CREATE TABLE t (a int PRIMARY KEY, b int)',
    'CREATE TABLE t (a int PRIMARY KEY)',
    { schema: { mode: 'existing' } },
    'CF2147',
    'block',
    /public\.t on target\/main has no column b/,
  ],
  [
    'replica identity nothing',
    'CREATE TABLE t (a int PRIMARY KEY); ALTER TABLE t REPLICA IDENTITY NOTHING',
    '',
    {},
    'CF2122',
    'block',
    /REPLICA IDENTITY NOTHING/,
  ],
  [
    'a sequence that runs out',
    "CREATE TABLE t (a serial PRIMARY KEY); SELECT setval('t_a_seq', 2000000000)",
    '',
    {},
    'CF2128',
    'warn',
    /t_a_seq of source\/main has used 93 % of what a \(integer\)/,
  ],
  [
    'a table that refers to one that stays',
    `${users}`,
    '',
    { tables: { exclude: ['tenants'] } },
    'CF2145',
    'warn',
    /public\.users refers by users_tenant_id_fkey to public\.tenants/,
  ],
  [
    'a pattern that matches nothing',
    'CREATE TABLE t (a int PRIMARY KEY)',
    '',
    { tables: { include: ['*', 'audit.*'] } },
    'CF1014',
    'warn',
    /audit\.\* at tables\.include\[1\]/,
  ],
  [
    'an unknown table in the plan',
    'CREATE TABLE t (a int PRIMARY KEY)',
    '',
    { tables: { where: { nobody: 'true' } } },
    'CF1010',
    'block',
    /nobody/,
  ],
  [
    'a condition that is no SQL',
    'CREATE TABLE t (a int PRIMARY KEY)',
    '',
    { tables: { where: { t: 'b = = 1' } } },
    'CF1023',
    'block',
    /public\.t is not valid/,
  ],
  [
    'a condition with a second statement',
    'CREATE TABLE t (a int PRIMARY KEY)',
    '',
    { tables: { where: { t: 'true); DROP TABLE t; --' } } },
    'CF1023',
    'block',
    /public\.t is not valid/,
  ],
  [
    'a transform without a way back',
    'CREATE TABLE t (a int PRIMARY KEY)',
    '',
    { tables: { transform: { t: (row: object) => row } } },
    'CF2130',
    'warn',
    /transform of t has no way back/,
  ],
  [
    'a table never analysed',
    'CREATE TABLE t (a int PRIMARY KEY) WITH (autovacuum_enabled = off); INSERT INTO t SELECT generate_series(1, 100)',
    '',
    {},
    'CF2141',
    'note',
    /public\.t was never analysed/,
  ],
  [
    'a superuser',
    'CREATE TABLE t (a int PRIMARY KEY)',
    '',
    {},
    'CF2132',
    'note',
    /postgres of source\/main is a superuser/,
  ],
]
for (const [what, sourceSql, targetSql, rest, code, severity, says] of single) {
  test(`D05: the doctor finds ${what}`, async () => {
    has(
      await findingsOf({ source: await database(sourceSql), target: await database(targetSql), ...rest }),
      code,
      severity,
      says,
    )
  })
}

/** What is wrong with rows, seen when one source becomes two targets. */
const split: [string, string, object, string, string, RegExp][] = [
  [
    'rows without shard key',
    `${users} INSERT INTO users (tenant_id) VALUES (NULL), (NULL)`,
    {},
    'CF2124',
    'block',
    /2 rows of public\.users on source\/main have NULL in the shard key tenant_id/,
  ],
  [
    'orphans of a parent',
    'CREATE TABLE tenants (id int PRIMARY KEY); CREATE TABLE users (id int PRIMARY KEY, tenant_id int); CREATE TABLE visits (id int PRIMARY KEY, user_id int); INSERT INTO visits VALUES (1, 7)',
    { shardKey: 'tenant_id', shardKeys: { visits: { via: 'user_id', parent: 'users', parentColumn: 'id' } } },
    'CF2123',
    'block',
    /1 rows of public\.visits on source\/main refer by user_id to rows of public\.users/,
  ],
  [
    'a reference table that refers to a split one',
    `${users} CREATE TABLE notes (id int PRIMARY KEY, user_id int REFERENCES users)`,
    { reference: ['notes'] },
    'CF2140',
    'block',
    /public\.notes is a reference table but refers to public\.users/,
  ],
  [
    'a shard key outside the identity',
    users,
    {},
    'CF2144',
    'note',
    /shard key tenant_id of public\.users is not part of its identity \(id\)/,
  ],
  [
    'a table without a way to the key',
    `${users} CREATE TABLE loose (id int PRIMARY KEY)`,
    {},
    'CF1013',
    'block',
    /public\.loose/,
  ],
]
for (const [what, sql, tables, code, severity, says] of split) {
  test(`the doctor finds ${what}`, async () => {
    const target = { shards: { x: await database(), y: await database() } }
    has(
      await findingsOf({ source: await database(sql), target, tables: { shardKey: 'tenant_id', ...tables } }),
      code,
      severity,
      says,
    )
  })
}

const two = { topology: { ranges: [{ shard: 'a', below: '100' }, { shard: 'b' }] } }

test('the doctor finds keys that live on the wrong source shard', async () => {
  const a = await database(`${users} INSERT INTO tenants VALUES (1), (150)`)
  const source = { shards: { a, b: await database(users) }, ...two }
  has(
    await findingsOf({ source, target: await database(), tables: { shardKey: 'tenant_id' } }),
    'CF2125',
    'block',
    /1 keys of public\.tenants live on source\/a .*for example id = 150/,
  )
})

test('the doctor finds identities that two source shards gave out', async () => {
  const a = await database(`${users} INSERT INTO tenants VALUES (1); INSERT INTO users (tenant_id) VALUES (1), (1)`)
  const b = await database(`${users} INSERT INTO tenants VALUES (101); INSERT INTO users (tenant_id) VALUES (101)`)
  const findings = await findingsOf({
    source: { shards: { a, b }, ...two },
    target: await database(),
    tables: { shardKey: 'tenant_id' },
  })
  has(
    findings,
    'CF2135',
    'block',
    /rows of public\.users with id 1 exist on source\/a and on source\/b, and both would go to target\/main/,
  )
})

test('the doctor finds a database that is source and target, and two targets in one database', async () => {
  const source = await database(users)
  has(
    await findingsOf({ source, target: source }),
    'CF1020',
    'block',
    /source\/main and target\/main are the same database/,
  )
  const target = await database()
  has(
    await findingsOf({ source, target: { shards: { x: target, y: target } }, tables: { shardKey: 'tenant_id' } }),
    'CF1020',
    'block',
    /target\/x and target\/y/,
  )
})

test('the doctor finds transactions that would be waited for', async () => {
  const source = await database(users)
  await execute(source, "BEGIN; INSERT INTO tenants VALUES (9); PREPARE TRANSACTION 'half done'")
  ends.push(() => execute(source, "ROLLBACK PREPARED 'half done'"))
  has(
    await findingsOf({ source, target: await database() }),
    'CF2121',
    'warn',
    /prepared transaction half done of source\/main/,
  )
})

test('DM-17: the doctor names what a role lacks, with the SQL that gives it', async () => {
  const cluster = await sharedTestCluster()
  await cluster.createRole('plain "quoted"', { password: 'pw' })
  await cluster.createRole('enough', { password: 'pw', replication: true })
  const source = await database(users)
  const target = await database()
  const as = (url: string, user: string) => cluster.url({ database: new URL(url).pathname.slice(1), user })
  const poor = await findingsOf({ source: as(source, 'plain "quoted"'), target: as(target, 'plain "quoted"') })
  has(poor, 'CF2105', 'block', /role plain "quoted" of source\/main may not replicate/)
  has(poor, 'CF2106', 'block', /plain "quoted" of source\/main does not own public\.users/)
  has(poor, 'CF2107', 'block', /plain "quoted" may not create schemas in the database of target\/main/)
  has(poor, 'CF2149', 'block', /plain "quoted" may not create tables in the schema public of target\/main/)
  assert.ok(poor.some(({ remedy }) => remedy.includes('ALTER ROLE "plain ""quoted""" REPLICATION')))
  for (const url of [source, target])
    await execute(
      url,
      `GRANT CREATE ON DATABASE ${new URL(url).pathname.slice(1)} TO enough; GRANT CREATE ON SCHEMA public TO enough`,
    )
  await execute(source, 'ALTER TABLE users OWNER TO enough; ALTER TABLE tenants OWNER TO enough')
  const rich = await findingsOf({ source: as(source, 'enough'), target: as(target, 'enough') })
  assert.deepEqual(
    rich.filter(({ severity }) => severity === 'block').map(({ message }) => message),
    [],
  )
  has(rich, 'CF2108', 'note', /enough of source\/main may not set session_replication_role/)
})

test('the doctor warns of a source that cannot be archived, unless it is left as it is or its owner archives it', async () => {
  const cluster = await sharedTestCluster()
  await cluster.createRole('no owner', { replication: true })
  const url = await database('CREATE TABLE t (id int PRIMARY KEY)')
  const name = new URL(url).pathname.slice(1)
  await execute(url, `GRANT CREATE ON DATABASE ${name} TO "no owner"; ALTER TABLE t OWNER TO "no owner"`)
  const source = cluster.url({ database: name, user: 'no owner' })
  const target = await database()
  const findings = await findingsOf({ source, target })
  has(findings, 'CF2148', 'warn', /role no owner does not own the database of source\/main/)
  const remedy = findings.find(({ code }) => code === 'CF2148')?.remedy ?? ''
  assert.match(remedy, new RegExp(`ALTER DATABASE "?${name}"? OWNER TO "no owner"`))
  const warned = async (plan: object) => (await findingsOf(plan)).some(({ code }) => code === 'CF2148')
  assert.equal(await warned({ source, target, archive: 'leave' }), false)
  await execute(url, `ALTER DATABASE ${name} OWNER TO "no owner"`)
  assert.equal(await warned({ source, target }), false)
})

test('the doctor finds row security that would hide rows', async () => {
  const cluster = await sharedTestCluster()
  await cluster.createRole('guarded', { replication: true })
  const source = await database(
    `${users} ALTER TABLE users OWNER TO guarded; ALTER TABLE users ENABLE ROW LEVEL SECURITY; ALTER TABLE users FORCE ROW LEVEL SECURITY`,
  )
  const url = cluster.url({ database: new URL(source).pathname.slice(1), user: 'guarded' })
  has(
    await findingsOf({ source: url, target: await database() }),
    'CF2137',
    'block',
    /Row security of public\.users hides rows from the role guarded/,
  )
})

const unreachable: [string, (url: string) => string, RegExp][] = [
  ['a port where nothing listens', (url) => url.replace(/:\d+\//, ':1/'), /^CF2001 /],
  ['a database that is not there', (url) => url.replace(/\/[^/]+$/, '/no_such_database'), /^CF2011 /],
  ['what is no URL', () => 'not a url', /^CF2015 /],
]
for (const [what, change, says] of unreachable) {
  test(`bad input: ${what} is a finding, and the rest is still examined`, async () => {
    const source = await database(users)
    const findings = await findingsOf({ source, target: change(source) })
    const texts = findings.map(({ code, message }) => `${code} ${message}`)
    assert.ok(
      texts.some((text) => says.test(text)),
      texts.join('\n'),
    )
    assert.ok(findings.some(({ subject }) => subject.startsWith('source/main')))
  })
}

let bare: Cluster
before(async () => {
  bare = await startCluster({
    version: 16,
    password: 'right',
    settings: {
      wal_level: 'replica',
      max_replication_slots: '1',
      max_wal_senders: '0',
      max_connections: '9',
      max_slot_wal_keep_size: '100MB',
    },
  })
  ends.push(() => bare.destroy())
})

test('the doctor finds a server that is not set up for it: WAL level, slots, senders, connections, version', async () => {
  const source = await database(users)
  const target = await bare.createDatabase('target')
  process.env['CLI_TEST_BARE'] = target
  const findings = await findingsOf({ source, target: { env: 'CLI_TEST_BARE' } })
  has(findings, 'CF2102', 'block', /target\/main has wal_level replica/)
  has(findings, 'CF2103', 'warn', /target\/main has 1 free replication slots and the migration needs 2/)
  has(findings, 'CF2104', 'block', /target\/main has 0 free WAL senders/)
  has(findings, 'CF2142', 'warn', /target\/main has \d+ free connections/)
  has(findings, 'CF2127', 'warn', /target\/main runs PostgreSQL 16\.\d+, older than the source/)
  const back = await findingsOf({ source: { env: 'CLI_TEST_BARE' }, target: await database() })
  has(back, 'CF2119', 'warn', /source\/main keeps at most 100 MiB of WAL .* 32 GiB/)
})

test('bad input: a wrong password is a finding, and is not printed', async () => {
  process.env['CLI_TEST_WRONG'] = bare.superuserUrl().replace(':right@', ':hunter2-wrong@')
  const findings = await findingsOf({ source: { env: 'CLI_TEST_WRONG' }, target: await database() })
  has(findings, 'CF2010', 'block', /./)
  assert.ok(!JSON.stringify(findings).includes('hunter2'))
})

test('bad input: a secret that is not set is a finding', async () => {
  has(
    await findingsOf({ source: { env: 'CLI_TEST_NOT_SET' }, target: await database() }),
    'CF1003',
    'block',
    /CLI_TEST_NOT_SET is not set/,
  )
})

test('the doctor finds other locales and encodings', async () => {
  const cluster = await sharedTestCluster()
  await execute(cluster.superuserUrl(), "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
  ends.push(() => cluster.dropDatabase('latin'))
  await execute(
    cluster.superuserUrl(),
    "CREATE DATABASE builtin LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C' TEMPLATE template0",
  )
  ends.push(() => cluster.dropDatabase('builtin'))
  const source = await database(users)
  has(
    await findingsOf({ source, target: cluster.superuserUrl('latin') }),
    'CF2114',
    'block',
    /encoding of target\/main is LATIN1 and that of source\/main is UTF8/,
  )
  has(
    await findingsOf({ source, target: cluster.superuserUrl('builtin') }),
    'CF2115',
    'warn',
    /target\/main sorts by b:/,
  )
})

test('the doctor finds an extension that the target does not have', async (t) => {
  const source = await database(`${users} CREATE EXTENSION IF NOT EXISTS pgcrypto`).catch(() => null)
  if (source === null) return t.skip('the servers here come without pgcrypto')
  has(
    await findingsOf({ source, target: await database() }),
    'CF2113',
    'note',
    /extension pgcrypto of the source is not installed on target\/main/,
  )
})

test('D03: a source that is written faster than changes are applied is said before the start', async () => {
  const plan = { source: await database(users), target: await database() }
  const { resolution } = await examine(planOf(plan), postgresCatalogs, { sampleMs: 0 })
  const survey = { source: { shards: [] }, target: { shards: [] } }
  const at = (rowsPerSecond: number) =>
    checkCapacity(
      { loaded: planOf(plan), survey, resolution, sessions: new Map() } as never,
      new Map([['source/main', { rowsPerSecond, walBytesPerSecond: 0 }]]) as never,
    )
  assert.deepEqual(at(5_000), [])
  has(at(25_000), 'CF2131', 'warn', /source\/main is written at 25,000 rows per second/)
  has(at(90_000), 'CF2131', 'block', /applied at about 30,000/)
})

test('the write rate is measured on the live server', async () => {
  const source = await database('CREATE TABLE t (a int PRIMARY KEY)')
  const client = new pg.Client({ connectionString: source })
  await client.connect()
  ends.push(() => client.end())
  const session = await postgresCatalogs.open({ id: 'source/main' as never, url: source, secret: null })
  const watching = session.writeRate(1500)
  await client.query('INSERT INTO t SELECT generate_series(1, 50000)')
  await client.query('SELECT pg_stat_force_next_flush()')
  await client.query('SELECT 1')
  const rate = await watching
  await session.close()
  assert.ok(rate.walBytesPerSecond > 100_000, String(rate.walBytesPerSecond))
  assert.ok(rate.rowsPerSecond > 1000, String(rate.rowsPerSecond))
})

test('the doctor changes nothing', async () => {
  const source = await database(`${users} INSERT INTO tenants VALUES (1)`)
  const target = await database()
  const look = async (url: string) => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    const { rows } = await client.query(
      "SELECT (SELECT count(*) FROM pg_class) || ' ' || (SELECT count(*) FROM pg_namespace) || ' ' || (SELECT count(*) FROM pg_replication_slots) || ' ' || (SELECT count(*) FROM pg_publication) AS state",
    )
    await client.end()
    return rows[0].state as string
  }
  const states = [await look(source), await look(target)]
  await findingsOf({
    source,
    target,
    tables: {
      transform: {
        users: reversible(
          (row) => row,
          (row) => row,
        ),
      },
    },
  })
  await resolved({ source, target })
  assert.deepEqual([await look(source), await look(target)], states)
})
