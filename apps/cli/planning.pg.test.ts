import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { tableKey } from '@crossfade/model/table-name.ts'
import type { ResolvedPlan, ResolvedTable } from '@crossfade/pipeline/resolved-plan.ts'
import { describePlan, planReport } from '@crossfade/plan/describe.ts'
import { describeChanges, diffPlans } from '@crossfade/plan/diff.ts'
import { draftAsTypeScript, draftAsYaml } from '@crossfade/plan/draft-text.ts'
import { inspect } from '@crossfade/plan/init.ts'
import { readPlanText } from '@crossfade/plan/load.ts'
import { describeRoute } from '@crossfade/plan/routes.ts'
import { postgresCatalogs } from '@crossfade/postgres/source/catalog.ts'
import { databaseWith, execute, resolved } from './testing/databases.ts'

const drops: (() => Promise<void>)[] = []
after(async () => {
  for (const drop of drops) await drop()
})

async function database(sql: string): Promise<string> {
  const { url, drop } = await databaseWith(sql)
  drops.push(drop)
  return url
}

function table(plan: ResolvedPlan | null, name: string): ResolvedTable {
  const found = plan?.tables.find((each) => tableKey(each.source) === name)
  assert.ok(found, `${name} is in the plan`)
  return found
}

const zoo = `
  CREATE TYPE mood AS ENUM ('calm', 'wild');
  CREATE DOMAIN positive AS int CHECK (VALUE > 0);
  CREATE TYPE pair AS (a int, b text);
  CREATE TABLE tenants (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, shout text GENERATED ALWAYS AS (upper(name)) STORED);
  CREATE TABLE users (id bigserial PRIMARY KEY, tenant_id bigint NOT NULL REFERENCES tenants, mood mood, age positive, boss bigint REFERENCES users);
  CREATE TABLE posts (id bigserial, tenant_id bigint NOT NULL REFERENCES tenants, author bigint NOT NULL REFERENCES users, at timestamptz NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
  CREATE TABLE posts_old PARTITION OF posts FOR VALUES FROM (MINVALUE) TO ('2024-01-01');
  CREATE TABLE posts_new PARTITION OF posts FOR VALUES FROM ('2024-01-01') TO (MAXVALUE) PARTITION BY HASH (id);
  CREATE TABLE posts_new_any PARTITION OF posts_new FOR VALUES WITH (MODULUS 1, REMAINDER 0);
  CREATE TABLE comments (user_id bigint NOT NULL REFERENCES users, body text);
  CREATE TABLE countries (code char(2) NOT NULL, name text, CONSTRAINT countries_code UNIQUE (code));
  CREATE TABLE oddities (tenant_id bigint, moods mood[], pairs pair, class regclass, days daterange, hits int[]);
  INSERT INTO tenants (name) SELECT 'tenant ' || n FROM generate_series(1, 50) n;
  INSERT INTO users (tenant_id) SELECT 1 + n % 50 FROM generate_series(1, 5000) n;
  ANALYZE;`

test('DM-02: tables, identities, routes, columns and order are resolved from the catalogs', async () => {
  const source = await database(zoo)
  const { plan, forecast, problems } = await resolved({
    source,
    target: { shards: { x: await database(''), y: await database('') } },
    tables: { reference: ['countries'], shardKey: 'tenant_id' },
  })
  assert.deepEqual(problems, [])
  assert.ok(plan && forecast)
  assert.deepEqual(Object.fromEntries(plan.tables.map((each) => [each.source.name, describeRoute(each.route)])), {
    countries: 'reference',
    oddities: 'tenant_id',
    tenants: 'id',
    users: 'tenant_id',
    comments: 'user_id → public.users.tenant_id',
    posts: 'tenant_id',
  })
  const order = plan.tables.map((each) => each.source.name)
  for (const [parent, child] of [
    ['tenants', 'users'],
    ['users', 'comments'],
    ['users', 'posts'],
  ]) {
    assert.ok(order.indexOf(parent!) < order.indexOf(child!), `${parent} before ${child}`)
  }
  assert.deepEqual(table(plan, 'public.posts').identity, { kind: 'key', columns: ['id', 'at'] })
  assert.deepEqual(table(plan, 'public.countries').identity, { kind: 'key', columns: ['code'] })
  assert.deepEqual(table(plan, 'public.comments').identity, { kind: 'full' })
  assert.deepEqual(
    table(plan, 'public.posts').leaves.map(({ name }) => name),
    ['posts_new_any', 'posts_old'],
  )
  assert.deepEqual(
    table(plan, 'public.tenants').columns.map(({ source: name, generated, identity }) => [name, generated, identity]),
    [
      ['id', false, 'always'],
      ['name', false, null],
      ['shout', true, null],
    ],
  )
  assert.equal(table(plan, 'public.users').estimate.rows, 5000)
  assert.ok(forecast.targetDiskBytes > 0 && forecast.chunks >= 6)
})

test('binary COPY is planned only where every type means the same on both sides', async () => {
  const source = await database(zoo)
  const { plan } = await resolved({ source, target: await database('') })
  assert.equal(table(plan, 'public.users').binary, true, 'enums and domains carry no object ids')
  assert.equal(table(plan, 'public.oddities').binary, false, 'arrays of enums and regclass do')
  const other = await database(
    'CREATE TABLE tenants (id bigint PRIMARY KEY, name text, shout text); CREATE TABLE countries (code text, name text)',
  )
  const existing = await resolved({
    source,
    target: other,
    schema: { mode: 'existing' },
    tables: { include: ['countries'] },
  })
  assert.equal(table(existing.plan, 'public.countries').binary, false, 'char(2) is read as text')
})

test('the same schema gives the same digest, however the tables grow; another plan gives another', async () => {
  const source = await database(zoo)
  const target = await database('')
  const first = (await resolved({ source, target })).plan!
  await execute(source, "INSERT INTO tenants (name) SELECT 'more' FROM generate_series(1, 500); ANALYZE tenants")
  const second = (await resolved({ source, target })).plan!
  assert.equal(second.digest, first.digest)
  assert.notDeepEqual(table(second, 'public.tenants').estimate, table(first, 'public.tenants').estimate)
  assert.deepEqual(diffPlans(first, second), [])
  const third = (
    await resolved({
      source,
      target,
      cutover: { deadlineMs: '9 s' },
      tables: { exclude: ['comments'], where: { users: 'id > 3' } },
    })
  ).plan!
  assert.notEqual(third.digest, first.digest)
  assert.match(describeChanges(diffPlans(first, third)), /^- tables\.public\.comments $/m)
  assert.match(describeChanges(diffPlans(first, third)), /^~ tables\.public\.users\.where: null → "id > 3"$/m)
  assert.match(describeChanges(diffPlans(first, third)), /^~ cutover\.deadlineMs: 5000 → 9000$/m)
  assert.doesNotThrow(() => JSON.stringify(third))
})

test('the plan for people names tables, sizes, order, locks, disk, WAL and time', async () => {
  const { plan, forecast } = await resolved({ source: await database(zoo), target: await database('') })
  const text = describePlan(plan!, forecast!)
  for (const says of [
    /public\.users +5,000/,
    /Forecast/,
    /WAL held back/,
    /SHARE ROW EXCLUSIVE/,
    /whole row/,
    /2 partitions/,
    /approve complete/,
  ]) {
    assert.match(text, says)
  }
  assert.deepEqual(
    planReport(plan!, forecast!).order,
    plan!.tables.map((each) => tableKey(each.source)),
  )
})

const wrong: [string, object, RegExp][] = [
  ['an unknown table', { shardKeys: { nobody: 'id' } }, /^CF1010 .*nobody/],
  ['an unknown table to rename', { rename: { nobody: 'x' } }, /^CF1010 .*nobody/],
  ['an unknown column', { columns: { users: { exclude: ['nothing'] } } }, /^CF1011 .*nothing of public\.users/],
  ['a key column left out', { columns: { users: { exclude: ['id'] } } }, /^CF1002 .*tells its rows apart/],
  ['two tables that become one', { rename: { users: 'tenants' } }, /^CF1018 .*public\.tenants/],
  ['nothing selected', { include: ['nowhere.*'] }, /^CF1015/],
  ['a pattern that cannot be read', { include: ['"open'] }, /^CF1002 .*tables\.include\[0\]/],
  [
    'a cycle of parents',
    {
      shardKeys: {
        users: { via: 'boss', parent: 'comments', parentColumn: 'user_id' },
        comments: { via: 'user_id', parent: 'users' },
      },
    },
    /^CF1012 .*public\.users → public\.comments → public\.users|public\.comments → public\.users → public\.comments/,
  ],
]
for (const [what, tables, says] of wrong) {
  test(`bad input, nothing changed: ${what}`, async () => {
    const source = await database(zoo)
    const { plan, problems } = await resolved({
      source,
      target: { shards: { x: await database(''), y: await database('') } },
      tables: { reference: ['countries'], ...tables },
    })
    assert.equal(plan, null)
    assert.match(problems.map(({ code, message }) => `${code} ${message}`).join('\n'), new RegExp(says.source, 'm'))
  })
}

test('source shards that differ are named, with the difference', async () => {
  const a = await database('CREATE TABLE t (tenant_id int PRIMARY KEY, a text); CREATE TABLE only_a (tenant_id int)')
  const b = await database('CREATE TABLE t (tenant_id int PRIMARY KEY, a varchar(10))')
  const { problems } = await resolved({
    source: { shards: { a, b }, topology: { hash: { buckets: 4 } } },
    target: await database(''),
    tables: { shardKey: 'tenant_id' },
  })
  assert.deepEqual(
    problems.map(({ code, message }) => `${code} ${message}`),
    [
      'CF1019 The source shards do not have the same table public.only_a: source/b does not have it.',
      'CF1019 The source shards do not have the same table public.t: on source/b the column a is character varying(10), not text.',
    ],
  )
})

test('two targets that overlap, and a source that is its own target, are refused', async () => {
  const [source, target] = [await database('CREATE TABLE t (tenant_id int PRIMARY KEY)'), await database('')]
  const same = await resolved({
    source,
    target: { shards: { x: target, y: `${target}?application_name=y` } },
    tables: { shardKey: 'tenant_id' },
  })
  assert.match(same.problems[0]!.message, /target\/x and target\/y are the same database/)
  const itself = await resolved({ source, target: source })
  assert.match(itself.problems[0]!.message, /source\/main and target\/main are the same database/)
})

test('names with quotes, blanks, capitals, dots and 63 bytes go through the planner', async () => {
  const names = ['with "quote"', 'with blank', 'Capital', 'with.dot', 'x'.repeat(63), 'ünïcode']
  const ddl = names
    .map(
      (name) =>
        `CREATE TABLE "${name.replaceAll('"', '""')}" ("${name.replaceAll('"', '""')}" int PRIMARY KEY, "Tenant Id" int NOT NULL)`,
    )
    .join(';')
  const { plan, problems } = await resolved({
    source: await database(ddl),
    target: { shards: { x: await database(''), y: await database('') } },
    tables: { shardKey: 'Tenant Id' },
  })
  assert.deepEqual(problems, [])
  assert.deepEqual(plan!.tables.map((each) => each.source.name).sort(), [...names].sort())
  for (const each of plan!.tables) assert.deepEqual(each.identity, { kind: 'key', columns: [each.source.name] })
})

test('a directory topology is read from its table; one that names an unknown shard is refused', async () => {
  const source = await database(
    "CREATE TABLE t (tenant_id int PRIMARY KEY); CREATE TABLE places (tenant int, shard text); INSERT INTO places VALUES (1, 'x'), (2, 'y')",
  )
  const directory = { table: 'places', keyColumn: 'tenant', shardColumn: 'shard' }
  const [x, y] = [
    await database("CREATE TABLE places (tenant int, shard text); INSERT INTO places VALUES (1, 'x'), (2, 'y')"),
    await database(''),
  ]
  const plan = (topology: object) => ({
    source,
    target: { shards: { x, y }, topology },
    tables: { include: ['t'], shardKey: 'tenant_id' },
  })
  const good = await resolved(plan({ directory }))
  assert.deepEqual(good.plan?.target.topology, {
    kind: 'directory',
    entries: { 1: 'target/x', 2: 'target/y' },
    otherwise: null,
  })
  await execute(x, "UPDATE places SET shard = 'q' WHERE tenant = 2")
  assert.match((await resolved(plan({ directory }))).problems[0]!.message, /q is not a shard/)
  assert.match(
    (await resolved(plan({ directory: { ...directory, table: 'no_such' } }))).problems[0]!.message,
    /no_such/,
  )
})

test('DM-12: init writes a plan that loads and resolves, with tenant keys, parents, reference tables and the way keys are spread', async () => {
  const ddl =
    'CREATE TABLE tenants (id bigint PRIMARY KEY); CREATE TABLE users (id bigserial PRIMARY KEY, tenant_id bigint NOT NULL REFERENCES tenants); CREATE TABLE visits (user_id bigint NOT NULL REFERENCES users); CREATE TABLE countries (code text PRIMARY KEY);'
  const a = await database(`${ddl} INSERT INTO tenants SELECT generate_series(1, 99)`)
  const b = await database(`${ddl} INSERT INTO tenants SELECT generate_series(100, 300)`)
  const draft = await inspect({ urls: [a, b], targets: 2 }, postgresCatalogs)
  assert.deepEqual(draft.sourceTopology, { ranges: [{ shard: 'a', below: '100' }, { shard: 'b' }], order: 'integer' })
  assert.deepEqual(
    draft.reference.map(({ table: name }) => name),
    ['countries'],
  )
  assert.deepEqual(draft.withoutKey, ['visits'])
  const text = draftAsTypeScript(draft)
  assert.match(text, /visits: via\('user_id', 'users'\)/)
  assert.match(text, /shardKey: 'tenant_id'/)
  assert.match(text, /ranges\(\[\{ shard: 'a', below: '100' \}, \{ shard: 'b' \}\]\)/)
  const document = readPlanText(draftAsYaml(draft), 'drafted.yaml').document
  const { problems } = await resolved({
    ...document,
    target: { shards: { x: await database(''), y: await database('') } },
  })
  assert.deepEqual(problems, [])
})

const pagila = fileURLToPath(new URL('../../../shared/data/pagila-schema.sql', import.meta.url))

test('pagila: every table is planned, inherited and viewed ones alike', {
  skip: existsSync(pagila) ? false : 'no pagila beside the project',
}, async () => {
  const source = await database('')
  // Roles and extensions of the machine it was dumped on are not ours to have.
  const statements = readFileSync(pagila, 'utf8').replaceAll(
    /^(ALTER .* OWNER TO .*|COMMENT ON EXTENSION .*|CREATE (PROCEDURAL|OR REPLACE PROCEDURAL) LANGUAGE .*);$/gm,
    '',
  )
  await execute(source, statements)
  const { plan, problems } = await resolved({ source, target: await database('') })
  assert.deepEqual(problems, [])
  const names = plan!.tables.map((each) => each.source.name)
  for (const name of ['film', 'film_actor', 'rental', 'payment', 'customer']) assert.ok(names.includes(name), name)
  assert.ok(names.indexOf('customer') < names.indexOf('rental'))
  assert.deepEqual(table(plan, 'public.film_actor').identity, { kind: 'key', columns: ['actor_id', 'film_id'] })
})
