// Bad input. What no plan can be made of is refused; what the databases do not allow blocks in the doctor, and stops the engine when nobody asked the doctor. Both sides stay as they were.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { type Cluster, startCluster } from '@crossfade/embedded/cluster.ts'
import type { ErrorCode } from '@crossfade/model/error-codes.ts'
import { hash, type Plan, via } from '@crossfade/plan/define.ts'
import { refused, withAttempt } from './harness/bad-input.ts'
import { type Place, startPlace } from './harness/move.ts'

/** Not the password; must not be said by anything. */
const secret = 'hunter2/wr@ng'

let place: Place
/** Asks for passwords, writes no logical log, and has two addresses. */
let strict: Cluster
before(async () => {
  place = await startPlace()
  const settings = { wal_level: 'replica', listen_addresses: '127.0.0.1, 127.0.0.2' }
  strict = await startCluster({ version: 16, password: 'right', settings })
})
after(async () => {
  await place.destroy()
  await strict.destroy()
})

const at = (url: string, host: string) => url.replace(/@[^/]+/, `@${host}`)

describe('bad input: no plan can be made of it', () => {
  const wrong: readonly [string, ErrorCode, (source: string, target: string, other: string) => Partial<Plan>][] = [
    ['a port where nothing listens', 'CF2001', (source) => ({ source: at(source, '127.0.0.1:1') })],
    ['a host that does not exist', 'CF2001', (_, target) => ({ target: at(target, 'no-such-host.invalid:5432') })],
    ['a database that does not exist', 'CF2011', (_, target) => ({ target: `${target}_2` })],
    ['a role that does not exist', 'CF2010', (source) => ({ source: source.replace('postgres@', 'nobody@') })],
    ['what is no URL', 'CF2015', () => ({ source: 'the usual place' })],
    ['the URL of another product', 'CF2015', () => ({ target: 'mysql://root@127.0.0.1:3306/app' })],
    ['a table that does not exist', 'CF1010', () => ({ tables: { where: { 'public.chanels': 'id > 1' } } })],
    ['a table that does not exist among others', 'CF1010', () => ({ tables: { include: ['tenants', 'public.chan'] } })],
    ['a pattern of no table', 'CF1015', () => ({ tables: { include: ['chan_*'] } })],
    [
      'a column that does not exist',
      'CF1011',
      (_, a, b) => ({ target: { shards: { a, b } }, tables: { shardKeys: { tenants: 'id', channels: 'tenant' } } }),
    ],
    [
      'a cycle of parents',
      'CF1012',
      (_, a, b) => ({
        target: { shards: { a, b } },
        tables: { shardKeys: { tenants: via('id', 'channels', 'id'), channels: via('tenant_id', 'tenants') } },
      }),
    ],
    ['a source that is the target', 'CF1020', (source) => ({ target: source })],
    [
      'two targets in one database',
      'CF1020',
      (_, target) => ({
        target: { shards: { a: target, b: target } },
        tables: { shardKey: 'tenant_id', shardKeys: { tenants: 'id' } },
      }),
    ],
    [
      'two targets that own the same buckets',
      'CF1016',
      (_, a, b) => ({
        target: {
          shards: { a, b },
          topology: hash({ buckets: 8, owners: { a: [[0, 5]], b: [[4, 7]] } }),
        },
        tables: { shardKey: 'tenant_id', shardKeys: { tenants: 'id' } },
      }),
    ],
    [
      'two targets that own the same range',
      'CF1016',
      (_, a, b) => ({
        target: {
          shards: { a, b },
          topology: { ranges: [{ shard: 'a', below: '9' }, { shard: 'b', below: '5' }, { shard: 'a' }] },
        },
        tables: { shardKey: 'tenant_id', shardKeys: { tenants: 'id' } },
      }),
    ],
  ]
  for (const [what, code, plan] of wrong) {
    it(`${what} is refused with ${code}`, () => withAttempt(place, plan, (one) => refused(one, code)))
  }

  it('a wrong password is refused with CF2010, and nobody is told it', () =>
    withAttempt(
      place,
      (source) => {
        process.env['SCENARIO_URL'] = source.replace(':right@', `:${encodeURIComponent(secret)}@`)
        return { source: { env: 'SCENARIO_URL' } }
      },
      (one) => refused({ ...one, secret }, 'CF2010'),
      { source: strict },
    ))

  it('a secret that is not set is refused with CF1003', () =>
    withAttempt(
      place,
      () => ({ target: { env: 'SCENARIO_NOT_SET' } }),
      (one) => refused(one, 'CF1003'),
    ))

  it('a server that is no PostgreSQL is refused with CF2001', async () => {
    const server = createServer((_, response) => response.end('hello'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    try {
      await withAttempt(
        place,
        (source) => ({ source: at(source, `127.0.0.1:${port}`) }),
        (one) => refused(one, 'CF2001'),
      )
    } finally {
      server.close()
    }
  })

  it('one database under two addresses is refused with CF1020', () =>
    withAttempt(
      place,
      (source) => {
        process.env['SCENARIO_ONE'] = source
        process.env['SCENARIO_TWO'] = source.replace('127.0.0.1', '127.0.0.2')
        return { source: { env: 'SCENARIO_ONE' }, target: { env: 'SCENARIO_TWO' } }
      },
      (one) => refused(one, 'CF1020'),
      { source: strict },
    ))
})
