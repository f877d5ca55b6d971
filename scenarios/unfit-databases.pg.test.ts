// Databases that are not fit: the doctor blocks; a start without it stops with a clear failure, an abort leaves both sides as they were, and where it can be mended the migration goes on.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type Cluster, startCluster } from '@crossfade/embedded/cluster.ts'
import type { ErrorCode } from '@crossfade/model/error-codes.ts'
import type { Plan } from '@crossfade/plan/define.ts'
import { type Attempt, found, refused, stopped, withAttempt } from './harness/bad-input.ts'
import { Ladder, quickPlan } from './harness/ladder.ts'
import { type Place, run, startPlace } from './harness/move.ts'
import { sidesDiffer } from './harness/sides.ts'

const as = (role: string, url: string) => url.replace('postgres@', `${role}@`)
const nameOf = (url: string) => new URL(url).pathname.slice(1)

describe('databases that are not fit', () => {
  let place: Place
  let bare: Cluster
  before(async () => {
    place = await startPlace()
    bare = await startCluster({ version: 16, settings: { wal_level: 'replica' } })
    for (const cluster of [place.source, place.target]) {
      await cluster.createRole('mover', { replication: true })
      await cluster.createRole('plain')
    }
  })
  after(async () => {
    await place.destroy()
    await bare.destroy()
  })

  /** A privilege that a role lacks: what it gets, and what gives it the rest. */
  const privileges: readonly {
    readonly what: string
    readonly side: 'source' | 'target'
    readonly role?: string
    readonly code: ErrorCode
    readonly stops: ErrorCode
    readonly given: readonly string[]
    readonly missing: string
  }[] = [
    {
      what: 'REPLICATION',
      side: 'source',
      role: 'plain',
      code: 'CF2105',
      stops: 'CF2014',
      given: [
        'GRANT CREATE ON DATABASE "%" TO plain',
        'ALTER TABLE tenants OWNER TO plain',
        'ALTER TABLE channels OWNER TO plain',
      ],
      missing: 'ALTER ROLE plain REPLICATION',
    },
    {
      what: 'ownership of a table',
      side: 'source',
      code: 'CF2106',
      stops: 'CF3023',
      given: [
        'GRANT CREATE ON DATABASE "%" TO mover',
        'ALTER TABLE channels OWNER TO mover',
        'GRANT SELECT ON tenants TO mover',
      ],
      missing: 'ALTER TABLE tenants OWNER TO mover',
    },
    {
      what: 'CREATE on the database',
      side: 'source',
      code: 'CF2107',
      stops: 'CF2201',
      given: ['ALTER TABLE channels OWNER TO mover', 'ALTER TABLE tenants OWNER TO mover'],
      missing: 'GRANT CREATE ON DATABASE "%" TO mover',
    },
    {
      what: 'CREATE on the database',
      side: 'target',
      code: 'CF2107',
      stops: 'CF2201',
      given: ['GRANT CREATE ON SCHEMA public TO mover'],
      missing: 'GRANT CREATE ON DATABASE "%" TO mover',
    },
    {
      what: 'CREATE on the schema',
      side: 'target',
      code: 'CF2149',
      stops: 'CF2206',
      given: ['GRANT CREATE ON DATABASE "%" TO mover'],
      missing: 'GRANT CREATE ON SCHEMA public TO mover',
    },
  ]
  for (const { what, side, role = 'mover', code, stops, given, missing } of privileges) {
    it(`a role of the ${side} without ${what}: ${code}`, () =>
      withAttempt(
        place,
        (source, target) => (side === 'source' ? { source: as(role, source) } : { target: as(role, target) }),
        async (attempt) => {
          const grant = (sql: string) => run(attempt[side], sql.replace('%', nameOf(attempt[side])))
          for (const each of given) await grant(each)
          try {
            await stopped(attempt, code, stops, { mend: () => grant(missing) })
          } finally {
            await run(attempt[side], `ALTER ROLE plain NOREPLICATION`)
          }
        },
      ))
  }

  it('wal_level that is not logical, on the source: CF2102', () =>
    withAttempt(
      place,
      () => ({}),
      (attempt) => stopped(attempt, 'CF2102', 'CF3017'),
      { source: bare },
    ))

  it('wal_level that is not logical, on the target, which nobody could come back from: CF2102', () =>
    withAttempt(
      place,
      () => ({}),
      (attempt) => found(attempt, 'CF2102'),
      { target: bare },
    ))

  it('no free replication slot: CF2103', () =>
    withAttempt(
      place,
      () => ({}),
      async (attempt) => {
        const others = `others_${process.pid}`
        await run(
          attempt.source,
          `SELECT pg_create_physical_replication_slot('${others}_' || n) FROM generate_series(1, current_setting('max_replication_slots')::int) n`,
        )
        const free = () =>
          run(
            attempt.source,
            `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name LIKE '${others}%'`,
          )
        try {
          await stopped(attempt, 'CF2103', 'CF3016', { mend: free })
        } finally {
          await free()
        }
      },
    ))

  it('an unlogged table, also as a partition, whose changes nobody could follow: CF2110', () =>
    withAttempt(
      place,
      () => ({}),
      async (attempt) => {
        const unlogged = (name: string) => found(attempt, 'CF2110', new RegExp(`${name} is unlogged`))
        await run(
          attempt.source,
          'CREATE UNLOGGED TABLE "Sessions" (id int PRIMARY KEY); INSERT INTO "Sessions" VALUES (1), (2)',
        )
        await refused(attempt, 'CF2110')
        await unlogged('public.Sessions')
        await run(
          attempt.source,
          `ALTER TABLE "Sessions" SET LOGGED; CREATE TABLE visits (id int PRIMARY KEY) PARTITION BY RANGE (id);
           CREATE UNLOGGED TABLE visits_1 PARTITION OF visits FOR VALUES FROM (0) TO (10)`,
        )
        await refused(attempt, 'CF2110')
        await unlogged('public.visits_1')
        await run(attempt.source, 'ALTER TABLE visits_1 SET LOGGED')
        await goes(attempt, {})
      },
    ))

  it('large objects, which would stay behind: CF2111, until the plan says that they are carried by hand', () =>
    withAttempt(
      place,
      () => ({}),
      async (attempt) => {
        await run(attempt.source, `SELECT lo_from_bytea(0, 'a picture')`)
        await refused(attempt, 'CF2111')
        await goes(attempt, { schema: { largeObjects: 'ignore' } })
        const count = 'SELECT count(*) AS n FROM pg_largeobject_metadata'
        assert.deepEqual(await run(attempt.source, count), [{ n: '1' }])
      },
    ))
})

/** To the target and back, and away. */
async function goes(attempt: Attempt, more: Partial<Plan>): Promise<void> {
  const ladder = await Ladder.set(attempt.control, quickPlan(attempt.source, attempt.target, more))
  try {
    await ladder.goTo('live')
    await ladder.goTo('shadow')
    assert.deepEqual(await sidesDiffer([attempt.source], [attempt.target]), [])
    await ladder.abort()
  } finally {
    await ladder.close()
  }
}
