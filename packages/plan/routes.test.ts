import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Failure } from '@crossfade/model/failure.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import { orderTables } from './order.ts'
import { describeRoute, resolveRoutes } from './routes.ts'
import { catalogTable } from './testing/catalog.ts'

const tenants = catalogTable('tenants', { columns: ['id bigint not null', 'name text'], primaryKey: ['id'] })
const channels = catalogTable('channels', {
  columns: ['id bigint not null', 'tenant_id bigint not null'],
  primaryKey: ['id'],
  foreignKeys: ['tenant_id → tenants.id'],
})
const users = catalogTable('users', {
  columns: ['id bigint not null', 'tenant_id bigint not null'],
  primaryKey: ['id'],
  foreignKeys: ['tenant_id → tenants.id'],
})
const configurations = catalogTable('channel_configurations', {
  columns: ['channel_id bigint not null', 'config_key text not null'],
  primaryKey: ['channel_id', 'config_key'],
  foreignKeys: ['channel_id → channels.id'],
})
const values = catalogTable('configuration_values', {
  columns: ['channel_id bigint not null', 'value text'],
  foreignKeys: ['channel_id → channel_configurations.channel_id'],
})
const permissions = catalogTable('permissions', { columns: ['id int not null'], primaryKey: ['id'] })
const all = [configurations, channels, permissions, tenants, users, values]

function routesOf(...[tables, choices]: [Parameters<typeof resolveRoutes>[0], Parameters<typeof resolveRoutes>[1]]) {
  const problems: Failure[] = []
  const routes = resolveRoutes(tables, choices, (failure) => problems.push(failure))
  return {
    problems: problems.map(({ code, message }) => `${code} ${message}`),
    routes: Object.fromEntries([...routes].map(([key, route]) => [key.replace('public.', ''), describeRoute(route)])),
  }
}

test('DM-01: shard keys are found by name, by what refers to the root, and over foreign keys', () => {
  const { routes, problems } = routesOf(all, { reference: ['permissions'] })
  assert.deepEqual(problems, [])
  assert.deepEqual(routes, {
    tenants: 'id',
    users: 'tenant_id',
    channels: 'tenant_id',
    permissions: 'reference',
    channel_configurations: 'channel_id → public.channels.tenant_id',
    configuration_values: 'channel_id → public.channel_configurations.channel_id → public.channels.tenant_id',
  })
})

test('what the plan says comes before what is found', () => {
  const { routes } = routesOf(all, {
    shardKey: 'tenant_id',
    shardKeys: { users: 'id', channel_configurations: { column: 'config_key' } },
    reference: ['permissions'],
  })
  assert.equal(routes['users'], 'id')
  assert.equal(routes['channel_configurations'], 'config_key')
})

test('a table without a way to the shard key is named', () => {
  const { problems } = routesOf(all, {})
  assert.deepEqual(problems, ['CF1013 No shard key can be found for the table public.permissions.'])
})

test('a cycle of parents is named in full, once', () => {
  const loose = (name: string) => catalogTable(name, { columns: ['id int', 'other_id int'] })
  const { problems } = routesOf([loose('a'), loose('b'), loose('c')], {
    shardKeys: {
      a: { via: 'other_id', parent: 'b', parentColumn: 'id' },
      b: { via: 'other_id', parent: 'c', parentColumn: 'id' },
      c: { via: 'other_id', parent: 'a', parentColumn: 'id' },
    },
  })
  assert.deepEqual(problems, [
    'CF1012 The parents of the shard keys go round in a circle: public.a → public.b → public.c → public.a.',
  ])
})

test('a table that is its own parent is a cycle too', () => {
  const tree = catalogTable('tree', { columns: ['id int', 'parent_id int'], foreignKeys: ['parent_id → tree.id'] })
  const { problems } = routesOf([tree], { shardKeys: { tree: { via: 'parent_id', parent: 'tree' } } })
  assert.match(problems[0]!, /^CF1012 .*public\.tree → public\.tree\.$/)
})

test('foreign keys in a circle and to oneself are no cycle of parents', () => {
  const a = catalogTable('a', {
    columns: ['id int not null', 'tenant_id int', 'b_id int', 'a_id int'],
    foreignKeys: ['b_id → b.id', 'a_id → a.id'],
  })
  const b = catalogTable('b', {
    columns: ['id int not null', 'tenant_id int', 'a_id int'],
    foreignKeys: ['a_id → a.id'],
  })
  const { problems, routes } = routesOf([a, b], { shardKey: 'tenant_id' })
  assert.deepEqual(problems, [])
  assert.deepEqual(routes, { a: 'tenant_id', b: 'tenant_id' })
  assert.equal(orderTables([b, a], new Map()).length, 2)
})

const mistakes: [string, Parameters<typeof resolveRoutes>[1], RegExp][] = [
  ['an unknown table', { shardKeys: { nobody: 'id' } }, /^CF1010 .*nobody/],
  ['an unknown reference table', { reference: ['nobody'] }, /^CF1010 .*nobody/],
  ['an unknown column', { shardKeys: { users: 'nothing' } }, /^CF1011 .*nothing of public\.users/],
  ['an unknown parent', { shardKeys: { users: { via: 'id', parent: 'nobody' } } }, /^CF1010 .*nobody/],
  [
    'a parent without foreign key',
    { shardKeys: { users: { via: 'id', parent: 'channels' } } },
    /^CF1022 .*no foreign key from id to public\.channels/,
  ],
  [
    'an unknown column of the parent',
    { shardKeys: { users: { via: 'id', parent: 'channels', parentColumn: 'no' } } },
    /^CF1011 .*no of public\.channels/,
  ],
  [
    'a parent that lives everywhere',
    { reference: ['permissions'], shardKeys: { users: { via: 'id', parent: 'permissions', parentColumn: 'id' } } },
    /^CF1013 .*public\.users/,
  ],
]
for (const [what, choices, says] of mistakes) {
  test(`a mistake in shard keys is named: ${what}`, () => {
    assert.match(routesOf(all, { shardKey: 'tenant_id', ...choices }).problems[0]!, says)
  })
}

test('tables are applied parents first, the same order every time', () => {
  const routes = resolveRoutes(all, { reference: ['permissions'] }, () => undefined)
  const order = (tables: typeof all) =>
    orderTables(tables, routes).map((table) => tableKey(table.name).replace('public.', ''))
  const expected = ['permissions', 'tenants', 'channels', 'channel_configurations', 'configuration_values', 'users']
  assert.deepEqual(order(all), expected)
  assert.deepEqual(order([...all].reverse()), expected)
})
