import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { asUser } from '@crossfade/mcp-database/as-user.ts'
import type { Failure } from '@crossfade/model/failure.ts'
import type { InstanceId, ServiceType } from '@crossfade/model/platform-ids.ts'
import { seededRandom } from '@crossfade/model/seeded-random.ts'
import { testSeed } from '@crossfade/model/testing/test-seed.ts'
import { connect } from './connect.ts'
import { createToken } from './instance-tokens.ts'
import { OpenedInstance } from './opened-instance.ts'
import { defaultSettings, type PresentedSecret } from './session.ts'
import { createSessionCache } from './session-cache.ts'
import { openTestPlatform, serviceConfig, type TestPlatform, type TestUser } from './testing/platform.ts'

const seed = testSeed()
const usersMax = 8
const services = ['figma', 'figshare', 'fig-tree', 'slack'] as ServiceType[]
const opens = 1500
const together = 25
let platform: TestPlatform

before(async () => {
  platform = await openTestPlatform(
    services.map((serviceType, index) => serviceConfig(serviceType, 49200 + index)),
    async () => ({ kind: 'valid', accountLabel: null }),
  )
})
after(() => platform.close())

interface Owned {
  readonly user: TestUser
  readonly serviceType: ServiceType
  readonly instanceId: InstanceId
  readonly secrets: PresentedSecret[]
  /** Keys that the instance has had, the newest last. */
  readonly keys: string[]
}

test(`M03 M04: users × services with canary keys, any token at any place, while keys are replaced: no credential but one's own (seed ${seed})`, async () => {
  const random = seededRandom(seed)
  const below = (count: number) => Math.floor(random() * count)
  const pick = <T>(values: readonly T[]): T => values[below(values.length)]!
  const owned: Owned[] = []
  for (let n = 0; n < usersMax; n += 1) {
    const user = await platform.user(`user${n}`)
    for (const serviceType of services) {
      // Two users and all services of one user share a key: nothing may be found by the key.
      const key = n < 2 ? 'canary shared' : `canary ${n} ${serviceType}`
      const { record, minted } = await connect(platform.stores, user, serviceType, { apiKey: key })
      const url = await asUser(platform.api, user.proof, (client) =>
        createToken(client, record.instanceId, { kind: 'url' }),
      )
      const secrets: PresentedSecret[] = [
        { kind: 'bearer', secret: minted!.secret },
        { kind: 'url', secret: url.secret },
      ]
      owned.push({ user, serviceType, instanceId: record.instanceId, secrets, keys: [key] })
    }
  }
  assert.equal(new Set(owned.map(({ instanceId }) => instanceId)).size, owned.length)
  const workers = [await platform.worker(), await platform.worker()]
  let opened = 0
  let refused = 0

  async function openSomething(): Promise<void> {
    const worker = pick(workers)
    const token = pick(owned)
    const place = random() < 0.5 ? token : pick(owned)
    const presented = bent(pick(token.secrets))
    const instanceId = (random() < 0.1 ? bentText(place.instanceId) : place.instanceId) as InstanceId
    const serviceType = random() < 0.1 ? pick(services) : place.serviceType
    const isRight =
      token.secrets.some(({ kind, secret }) => kind === presented.kind && secret === presented.secret) &&
      instanceId === token.instanceId &&
      serviceType === token.serviceType
    // What was the newest before must not be older than what comes out.
    const before = token.keys.length - 1
    try {
      const session = await worker.directory.open(instanceId, serviceType, presented)
      const credential = await session.credential()
      assert.ok(isRight, `opened ${instanceId}/${serviceType} by a token of ${token.instanceId}`)
      assert.equal(session.userId, token.user.id)
      assert.ok(credential.kind === 'api_key' && token.keys.slice(Math.max(0, before - 1)).includes(credential.apiKey))
      opened += 1
    } catch (error) {
      const { code } = error as Failure
      if (code !== 'CF12001' && code !== 'CF12003') throw error
      // A right token is refused only where somebody guesses at the same instance, and it was not seen there before.
      assert.ok(!isRight || code === 'CF12003', `refused the right token of ${instanceId}`)
      refused += 1
    }
  }

  async function replaceSomething(): Promise<void> {
    const place = pick(owned)
    const key = `canary again ${place.instanceId} ${place.keys.length}`
    place.keys.push(key)
    const { outcome } = await connect(platform.stores, place.user, place.serviceType, { apiKey: key })
    assert.equal(outcome, 'replaced')
  }

  function bent({ kind, secret }: PresentedSecret): PresentedSecret {
    const dice = random()
    if (dice < 0.6) return { kind, secret }
    if (dice < 0.7) return { kind: kind === 'url' ? 'bearer' : 'url', secret }
    if (dice < 0.8) return { kind, secret: secret.slice(4) }
    return { kind, secret: bentText(secret) }
  }

  function bentText(text: string): string {
    const at = below(text.length)
    const other = pick([...'abcdef0123456789_-AZ/% '])
    return random() < 0.3 ? text.slice(0, at) : text.slice(0, at) + other + text.slice(at + 1)
  }

  for (let done = 0; done < opens; done += together) {
    const replacing = random() < 0.3 ? [replaceSomething()] : []
    await Promise.all([...Array.from({ length: together }, openSomething), ...replacing])
  }
  assert.ok(opened > opens / 10, `only ${opened} were opened`)
  assert.ok(refused > opens / 10, `only ${refused} were refused`)
})

test('M03: sessions of ten thousand instances take little memory', async () => {
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void
  const cache = createSessionCache(20_000)
  const source = { obtain: () => ({ kind: 'none' }) as const }
  collectGarbage()
  const before = process.memoryUsage().heapUsed
  const count = 10_000
  for (let n = 0; n < count; n += 1) {
    const row = {
      userId: randomUUID() as never,
      tokenId: randomUUID() as never,
      scopes: ['read', 'call'] as const,
      tokenExpiresAtMs: null,
      credential: { kind: 'api_key', main: `v1.${randomBytes(90).toString('base64url')}`, additional: {} },
      credentialVersion: 1,
      needsAuthorization: false,
      accessExpiresAtMs: null,
      settings: defaultSettings,
    }
    const place = {
      instanceId: `fig_user_${randomBytes(4).toString('hex')}_${randomBytes(3).toString('hex')}` as InstanceId,
      serviceType: services[0]!,
    }
    const opening = { kind: 'bearer', secretHash: randomBytes(32) } as const
    const opened = new OpenedInstance(source, place, opening, row, { scopes: row.scopes, endsAtMs: Infinity }, 0)
    cache.set(randomBytes(32).toString('base64url'), opened, 0)
  }
  collectGarbage()
  const bytes = (process.memoryUsage().heapUsed - before) / count
  console.log(`${Math.round(bytes)} bytes of heap per session`)
  assert.ok(bytes < 2_500, `${bytes} bytes`)
  assert.equal(cache.size, count)
})
