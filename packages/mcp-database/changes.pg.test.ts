import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { after, test } from 'node:test'
import { startFaultProxy } from '@crossfade/embedded/fault-proxy.ts'
import { asUser } from './as-user.ts'
import { type Change, listenToChanges } from './changes.ts'
import { type TestPlatform, testPlatform } from './testing/test-platform.ts'

let made: Promise<TestPlatform> | undefined
const platform = () => (made ??= testPlatform())
after(async () => (await made)?.close())

/** Collects changes; `until` resolves with all of them when one of this kind has come. */
class Heard {
  readonly changes: Change[] = []
  readonly #events = new EventEmitter()
  lost = 0

  readonly onChange = (change: Change) => {
    this.changes.push(change)
    this.#events.emit('change')
  }

  readonly onLost = () => {
    this.lost += 1
    this.#events.emit('change')
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await once(this.#events, 'change')
  }

  /** What came up to a mark that is set now. */
  async drain(all: TestPlatform): Promise<Change[]> {
    const digest = await tellOfCatalog(all, 'mark')
    await this.until(() => this.changes.some((change) => change.kind === 'catalog' && change.digest === digest))
    return this.changes.splice(0).filter((change) => change.kind !== 'catalog')
  }
}

test('M08: what workers hold in memory is told to them in the transaction that changes it, and counting or rotating is not told', async () => {
  const all = await platform()
  const alice = await all.newUser()
  const heard = new Heard()
  const listening = await listenToChanges(all.urls.runtime, heard.onChange, heard.onLost)
  const instance = { kind: 'instance', instanceId: alice.instanceId }
  const change = async (text: string, values: unknown[] = []) => {
    await asUser(all.pools.api, alice.proof, (client) => client.query(text, values))
    return await heard.drain(all)
  }
  await heard.drain(all)
  assert.deepEqual(await change(`UPDATE user_service_instances SET encrypted_api_key = 'v2', config = '{}'`), [
    instance,
  ])
  const { rows } = await all.admin.query(
    'SELECT credential_version FROM user_service_instances WHERE instance_id = $1',
    [alice.instanceId],
  )
  assert.deepEqual(rows, [{ credential_version: 2 }])
  assert.deepEqual(await change(`UPDATE user_service_instances SET is_active = false`), [instance])
  assert.deepEqual(await change(`UPDATE user_service_instances SET is_active = true, updated_at = now()`), [instance])
  assert.deepEqual(await change(`UPDATE user_service_instances SET account_label = 'me', updated_at = now()`), [])
  const { rows: tokens } = await all.admin.query('SELECT id FROM instance_tokens WHERE instance_id = $1', [
    alice.instanceId,
  ])
  const token = { kind: 'token', tokenId: tokens[0].id, instanceId: alice.instanceId }
  assert.deepEqual(await change('UPDATE instance_tokens SET last_used_at = now()'), [])
  assert.deepEqual(await change('UPDATE instance_tokens SET revoked_at = now()'), [token])
  assert.deepEqual(await change('DELETE FROM instance_tokens'), [token])

  const record = {
    userId: alice.id,
    serviceType: 'github',
    instanceId: alice.instanceId,
    endpoint: 'x',
    method: 'tools/call',
    statusCode: 200,
    responseTimeMs: 1,
    errorCode: null,
    atMs: Date.now(),
  }
  assert.equal((await all.pools.runtime.query('SELECT record_usage($1) AS n', [JSON.stringify([record])])).rows[0].n, 1)
  await all.pools.keeper.query(
    `UPDATE user_service_instances SET encrypted_api_key = 'rotated' WHERE instance_id = $1`,
    [alice.instanceId],
  )
  assert.deepEqual(await heard.drain(all), [])
  assert.equal(
    (
      await all.pools.runtime.query(`SELECT store_refreshed_credential($1, 2, 'refreshed', '{}', now()) AS done`, [
        alice.instanceId,
      ])
    ).rows[0].done,
    true,
  )
  assert.equal(
    (
      await all.pools.runtime.query(`SELECT store_refreshed_credential($1, 1, 'stale', '{}', now()) AS done`, [
        alice.instanceId,
      ])
    ).rows[0].done,
    false,
  )
  assert.deepEqual(await heard.drain(all), [instance])
  assert.equal(
    (await all.pools.runtime.query('SELECT mark_needs_authorization($1, 2) AS done', [alice.instanceId])).rows[0].done,
    true,
  )
  assert.deepEqual(await heard.drain(all), [instance])

  await all.admin.query(`UPDATE users SET name = 'Else' WHERE id = $1`, [alice.id])
  assert.deepEqual(await heard.drain(all), [])
  await all.admin.query('UPDATE users SET is_active = false WHERE id = $1', [alice.id])
  assert.deepEqual(await heard.drain(all), [{ kind: 'user', userId: alice.id }])
  await all.pools.keeper.query(
    `UPDATE service_registry SET is_available = NOT is_available WHERE service_type = 'figma'`,
  )
  assert.deepEqual(await heard.drain(all), [{ kind: 'service', serviceType: 'figma' }])
  await all.admin.query('DELETE FROM users WHERE id = $1', [alice.id])
  assert.deepEqual((await heard.drain(all)).map((one) => one.kind).sort(), ['instance', 'user'])
  // A transaction that is undone tells nothing.
  await all.admin.query('BEGIN; UPDATE users SET is_active = NOT is_active; ROLLBACK')
  assert.deepEqual(await heard.drain(all), [])
  assert.equal(heard.lost, 0)
  await listening.close()
})

test('M08: a listener whose connection breaks says so at once, comes back by itself, says so again, and hears on', async () => {
  const all = await platform()
  const url = new URL(all.urls.runtime)
  const proxy = await startFaultProxy({ target: { host: url.hostname, port: Number(url.port) } })
  url.port = String(proxy.port)
  const heard = new Heard()
  const listening = await listenToChanges(url.href, heard.onChange, heard.onLost)
  try {
    await heard.drain(all)
    proxy.cutOnce()
    await heard.until(() => heard.lost === 1)
    await heard.until(() => heard.lost === 2)
    const alice = await all.newUser()
    await all.admin.query('UPDATE users SET is_active = false WHERE id = $1', [alice.id])
    assert.deepEqual(await heard.drain(all), [{ kind: 'user', userId: alice.id }])
    // Anybody can notify: what is not ours makes caches drop.
    for (const payload of ['no JSON', 'null', '5', '{"kind":null}', ''])
      await all.admin.query(`SELECT pg_notify('crossfade_mcp_changed', $1)`, [payload])
    assert.deepEqual(await heard.drain(all), [])
    assert.equal(heard.lost, 7)
  } finally {
    await listening.close()
    await proxy.close()
  }
  const lost = heard.lost
  assert.equal(heard.lost, lost)
})

test('M08: who has changed something can wait until everybody has taken it in, however long one takes', async () => {
  const all = await platform()
  const gate = Promise.withResolvers<void>()
  const taken: string[] = []
  const quick = await listenToChanges(
    all.urls.runtime,
    () => void taken.push('quick'),
    () => undefined,
  )
  const slow = await listenToChanges(
    all.urls.runtime,
    async () => {
      await gate.promise
      taken.push('slow')
    },
    () => undefined,
  )
  try {
    assert.equal(await quick.everybodyHeard(), true, 'nothing has changed')
    for (let round = 0; round < 20; round += 1) {
      await tellOfCatalog(all, `quick ${round}`)
      if (round === 0) gate.resolve()
      assert.equal(await quick.everybodyHeard(), true)
      assert.deepEqual(taken.splice(0).sort(), ['quick', 'slow'], `round ${round}`)
    }
  } finally {
    await Promise.all([quick.close(), slow.close()])
  }
})

test('who never takes a change in is waited for only so long; who has gone or does not hear is not waited for', async () => {
  const all = await platform()
  const stuck = await listenToChanges(
    all.urls.runtime,
    () => new Promise(() => undefined),
    () => undefined,
  )
  const asking = await listenToChanges(
    all.urls.runtime,
    () => undefined,
    () => undefined,
  )
  await tellOfCatalog(all, 'never taken in')
  assert.equal(await asking.everybodyHeard(), false)
  const waiting = asking.everybodyHeard()
  await stuck.close()
  assert.equal(await waiting, true)
  await asking.close()
  assert.equal(await asking.everybodyHeard(), false)
})

test('a thousand who wait at once share a few questions', async () => {
  const all = await platform()
  const listening = await listenToChanges(
    all.urls.runtime,
    () => undefined,
    () => undefined,
  )
  const client = await all.admin.connect()
  let questions = 0
  client.on('notification', ({ payload }) => {
    if (payload?.includes('heard?')) questions += 1
  })
  await client.query('LISTEN crossfade_mcp_changed')
  try {
    const answers = await Promise.all(Array.from({ length: 1_000 }, () => listening.everybodyHeard()))
    assert.ok(answers.every((answer) => answer))
    await client.query('SELECT 1')
    assert.ok(questions >= 1 && questions <= 2, `${questions} questions`)
  } finally {
    await client.query('UNLISTEN *')
    client.release()
    await listening.close()
  }
})

/** Gives the digest that listeners hear of. */
async function tellOfCatalog(all: TestPlatform, name: string): Promise<string> {
  const digest = `${name} ${Math.random()}`
  await all.pools.keeper.query(
    `INSERT INTO platform_settings (key, value) VALUES ('catalog_digest', $1) ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
    [digest],
  )
  return digest
}
