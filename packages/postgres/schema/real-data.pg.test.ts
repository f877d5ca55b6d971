import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { sharedTestCluster } from '@crossfade/embedded/testing.ts'
import { findPgDump } from './pg-dump.ts'
import { roundTrip, textOf } from './testing/round-trip.ts'

const data = join(import.meta.dirname, '../../../../shared/data')

/** Without what psql does itself, and what only an older server needs. */
function schemaOf(file: string): string {
  const sql = readFileSync(join(data, file), 'utf8')
    .replace('CREATE PROCEDURAL LANGUAGE plpgsql;', '')
    .replace(/^\\.*$/gm, '')
    .replace(/^(CREATE|DROP) DATABASE .*$/gm, '')
  return `${sql}; RESET ALL`
}

for (const file of ['pagila-schema.sql', 'chinook.sql']) {
  for (const [from, to, way] of [
    [14, 18, 'catalogs'],
    [16, 18, 'catalogs'],
    [18, 16, 'catalogs'],
    [14, 17, 'pg_dump'],
  ] as const) {
    test(`DM-03 ${file} goes from ${from} to ${to} by ${way} without a difference`, async (context) => {
      if (!existsSync(join(data, file))) return context.skip(`${join(data, file)} is not there`)
      const pgDump = way === 'pg_dump' ? await findPgDump(undefined, from * 10_000) : null
      if (way === 'pg_dump' && pgDump === null) return context.skip('no pg_dump is installed')
      const trip = await roundTrip({
        source: await sharedTestCluster(from),
        target: await sharedTestCluster(to),
        setup: schemaOf(file),
        pgDump,
      })
      try {
        assert.deepEqual(textOf(await trip.create()), [])
        await trip.work()
        assert.deepEqual(textOf(await trip.compare()), [])
        assert.ok(trip.plan.tables.length >= 11)
      } finally {
        await trip.end()
      }
    })
  }
}
