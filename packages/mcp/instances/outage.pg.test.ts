import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type FaultProxy, startFaultProxy } from '@crossfade/embedded/fault-proxy.ts'
import { asUser } from '@crossfade/mcp-database/as-user.ts'
import { openPool } from '@crossfade/mcp-database/pool.ts'
import type { Failure } from '@crossfade/model/failure.ts'
import type { InstanceId, ServiceType } from '@crossfade/model/platform-ids.ts'
import type pg from 'pg'
import { connect } from './connect.ts'
import { lookupsWaitingMax, openDirectory, type PlatformDirectory } from './directory.ts'
import { createToken, type MintedToken, revokeToken } from './instance-tokens.ts'
import { openTestPlatform, serviceConfig, type TestPlatform, type TestUser } from './testing/platform.ts'

const figma = 'figma' as ServiceType
let platform: TestPlatform
let proxy: FaultProxy
let runtime: pg.Pool
let url: string
let user: TestUser
let instanceId: InstanceId
let token: MintedToken
const directories: PlatformDirectory[] = []

before(async () => {
  platform = await openTestPlatform([serviceConfig(figma, 49160)], async () => ({ kind: 'valid', accountLabel: null }))
})
after(() => platform.close())

/** A user with an instance, and a way to the database that a test can cut. */
beforeEach(async () => {
  const target = new URL(platform.urls.runtime)
  proxy = await startFaultProxy({ target: { host: target.hostname, port: Number(target.port) } })
  target.hostname = '127.0.0.1'
  target.port = String(proxy.port)
  url = target.href
  runtime = openPool(url, { applicationName: 'test worker', connectionsMax: 2 })
  user = await platform.user()
  const connected = await connect(platform.stores, user, figma, { apiKey: 'key' })
  instanceId = connected.record.instanceId
  token = connected.minted!
})
afterEach(async () => {
  for (const directory of directories.splice(0)) await directory.close()
  await proxy.close()
  await runtime.end()
})

async function directory(databaseGraceMsMax?: number): Promise<PlatformDirectory> {
  const opened = await openDirectory({
    runtime,
    databaseUrl: url,
    // The vault keeps its own way to the database: what is looked at here is the directory.
    vault: platform.vault,
    verifyAccessToken: null,
    refresher: null,
    ...(databaseGraceMsMax !== undefined && { databaseGraceMsMax }),
  })
  directories.push(opened)
  return opened
}

async function codeOf(opened: PlatformDirectory, minted: MintedToken): Promise<string> {
  try {
    const session = await opened.open(instanceId, figma, { kind: 'bearer', secret: minted.secret })
    const credential = await session.credential()
    return credential.kind === 'api_key' ? credential.apiKey : credential.kind
  } catch (error) {
    return (error as Failure).code
  }
}

async function eventually(expected: string, look: () => Promise<string>): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    const found = await look()
    if (found === expected) return
    assert.ok(tries < 3_000, `${found} instead of ${expected}`)
    await sleep(10)
  }
}

test('database gone and back: known sessions go on, new ones are told to come back, and then all is as before', async () => {
  const opened = await directory()
  const other = await asUser(platform.api, user.proof, (client) => createToken(client, instanceId, {}))
  assert.equal(await codeOf(opened, token), 'key')
  proxy.cut()
  await eventually('CF12002', () => codeOf(opened, other))
  for (let n = 0; n < 5; n += 1) assert.equal(await codeOf(opened, token), 'key')
  await eventually('false', async () => String(opened.statistics().hearsOfChanges))
  proxy.restore()
  await eventually('key', () => codeOf(opened, other))
  await eventually('true', async () => String(opened.statistics().hearsOfChanges))
  assert.equal(await codeOf(opened, token), 'key')
})

test('database silent: known sessions go on although as many look-ups wait as may', async () => {
  const opened = await directory()
  assert.equal(await codeOf(opened, token), 'key')
  // Once cut off it believes nothing unasked; from then on nobody answers.
  proxy.cut()
  await eventually('false', async () => String(opened.statistics().hearsOfChanges))
  proxy.blackhole()
  const waiting = Array.from({ length: lookupsWaitingMax }, async (_, n) => {
    const id = `fig_user_00000000_${n.toString(16).padStart(6, '0')}` as InstanceId
    return await opened.open(id, figma, { kind: 'bearer', secret: token.secret })
  })
  const refused = Promise.allSettled(waiting)
  assert.equal(await codeOf(opened, token), 'key')
  const other = await asUser(platform.api, user.proof, (client) => createToken(client, instanceId, {}))
  assert.equal(await codeOf(opened, other), 'CF12002')
  for (const { status } of await refused) assert.equal(status, 'rejected')
  proxy.cut()
  proxy.restore()
  await eventually('key', () => codeOf(opened, other))
})

test('M08: a token that was revoked while nobody could be told is refused as soon as the database answers', async () => {
  const opened = await directory()
  assert.equal(await codeOf(opened, token), 'key')
  proxy.cut()
  await eventually('false', async () => String(opened.statistics().hearsOfChanges))
  // By another way than the worker's.
  await asUser(platform.api, user.proof, (client) => revokeToken(client, instanceId, token.record.id))
  assert.equal(await codeOf(opened, token), 'key')
  proxy.restore()
  await eventually('CF12001', () => codeOf(opened, token))
})

test('an installation that lets nobody in while its database is away says so', async () => {
  const opened = await directory(0)
  assert.equal(await codeOf(opened, token), 'key')
  proxy.cut()
  await eventually('CF12002', () => codeOf(opened, token))
  proxy.restore()
  await eventually('key', () => codeOf(opened, token))
})
