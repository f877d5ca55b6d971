import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { freshDatabase, sharedTestCluster, type TestDatabase } from '@crossfade/embedded/testing.ts'
import { openPool } from '@crossfade/mcp-database/pool.ts'
import { preparePlatform } from '@crossfade/mcp-database/roles.ts'
import type { Pool } from 'pg'
import { approve, databasePinStore, quarantinedTools } from './database-pins.ts'
import { digested, judge, type RemoteDefinition } from './tool-pins.ts'

let database: TestDatabase
let runtime: Pool
let keeper: Pool
let api: Pool

before(async () => {
  database = await freshDatabase(await sharedTestCluster(18), 'pins')
  const urls = await preparePlatform(database.url)
  const pool = (url: string) => openPool(url, { applicationName: 'test pins', connectionsMax: 4 })
  runtime = pool(urls.runtime)
  keeper = pool(urls.keeper)
  api = pool(urls.api)
})

after(async () => {
  await Promise.all([runtime, keeper, api].map((pool) => pool.end()))
  await database.drop()
})

function tool(name: string, description = 'as it was') {
  const annotations = {
    readOnlyHint: false,
    destructiveHint: true,
    idempotentHint: false,
    openWorldHint: true,
  } as const
  const definition: RemoteDefinition = { name, description, inputSchema: { type: 'object' }, annotations }
  return digested(definition)
}

test('SI-04 a database that can not be asked is told as such, and not as trouble of the remote server', async () => {
  const gone = openPool('postgres://nobody:hidden@127.0.0.1:1/none', { applicationName: 'test', connectionsMax: 1 })
  const store = databasePinStore(gone)
  await assert.rejects(store.load('acme'), { code: 'CF12002' })
  await assert.rejects(store.save('acme', [tool('read')], false), { code: 'CF12002' })
  await gone.end()
})

test('SI-04 the first definitions are pinned, later ones quarantined until the keeper approves exactly what it saw', async () => {
  const store = databasePinStore(runtime)
  await store.save('acme', [tool('read'), tool('write')], false)
  const changed = tool('read', 'changed')
  await store.save('acme', [changed, tool('added'), tool('write')], false)
  const judged = judge([changed, tool('added'), tool('write')], await store.load('acme'))
  assert.deepEqual(
    judged.approved.map(({ name }) => name),
    ['write'],
  )
  const waiting = await quarantinedTools(keeper)
  assert.deepEqual(waiting.map(({ toolName, digest, approved }) => [toolName, digest, approved === null]).sort(), [
    ['added', tool('added').digest, true],
    ['read', changed.digest, false],
  ])
  await store.save('acme', [tool('read', 'changed again')], false)
  await assert.rejects(
    approve(keeper, 'acme', 'read', changed.digest),
    { code: 'CF13343' },
    'what was looked at is what is approved',
  )
  await approve(keeper, 'acme', 'read', tool('read', 'changed again').digest)
  await approve(keeper, 'acme', 'added', tool('added').digest)
  const pins = await store.load('acme')
  assert.deepEqual(judge([tool('read', 'changed again'), tool('added')], pins).quarantined, [])
  assert.equal(judge([tool('read')], pins).quarantined.length, 1, 'the one before is forgotten')
  assert.deepEqual(await store.load('other'), [])
  await store.save('acme', [tool('newer'), tool('write', 'changed')], true)
  const states = new Map(
    (await store.load('acme')).map(({ toolName, digest, state }) => [`${toolName} ${digest}`, state]),
  )
  assert.equal(states.get(`newer ${tool('newer').digest}`), 'pinned')
  assert.equal(states.get(`write ${tool('write', 'changed').digest}`), 'quarantined')
})

test('of workers that see a service for the first time at once one is first', async () => {
  const store = databasePinStore(runtime)
  const saves = Array.from({ length: 8 }, (_, index) => store.save('race', [tool('read', `version ${index}`)], false))
  await Promise.all(saves)
  const pins = await store.load('race')
  assert.equal(pins.filter(({ state }) => state === 'pinned').length, 1)
  assert.equal(pins.filter(({ state }) => state === 'quarantined').length, 1)
})

test('SI-14 the runtime can not approve or write the table, and the api role sees nothing of it', async () => {
  const denied = { code: '42501' }
  await assert.rejects(runtime.query('SELECT approve_remote_tool($1, $2, $3)', ['acme', 'read', 'x']), denied)
  await assert.rejects(runtime.query('SELECT * FROM remote_tool_pins'), denied)
  await assert.rejects(runtime.query("UPDATE remote_tool_pins SET state = 'pinned'"), denied)
  await assert.rejects(api.query('SELECT * FROM remote_tool_pins'), denied)
  await assert.rejects(api.query('SELECT * FROM find_remote_tool_pins($1)', ['acme']), denied)
  await assert.rejects(keeper.query("UPDATE remote_tool_pins SET state = 'pinned'"), denied)
})
