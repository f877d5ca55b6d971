import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { sharedTestCluster } from '@crossfade/embedded/testing.ts'
import { sampled } from '@crossfade/model/testing/long-run.ts'
import { findPgDump } from './pg-dump.ts'
import { roundTrip, textOf } from './testing/round-trip.ts'
import { type Specimen, specimens } from './testing/zoo.ts'

/** The way that spans the most versions takes everything; the others what it cannot have, and every `step`-th of what it has proven. */
const ways = [
  { name: 'catalogs 14 → 18', from: 14, to: 18, dump: false, step: 1 },
  { name: 'catalogs 16 → 17', from: 16, to: 17, dump: false, step: 5 },
  { name: 'catalogs 18 → 18', from: 18, to: 18, dump: false, step: 1 },
  { name: 'pg_dump 14 → 18', from: 14, to: 18, dump: true, step: 3 },
] as const

for (const way of ways) {
  describe(`DM-03 the schema zoo by ${way.name}`, () => {
    const possible = specimens.filter(({ since }) => (since ?? 0) <= way.from)
    const own = possible.filter(({ since, newest }) => since !== undefined || (way.from === 18 && newest))
    const others = way.from === 18 ? [] : possible.filter((specimen) => !own.includes(specimen))
    for (const specimen of [...own, ...sampled(others, way.step)]) {
      test(specimen.name, async (context) => {
        const pgDump = way.dump ? await findPgDump(undefined, way.from * 10_000) : null
        if (way.dump && pgDump === null) return context.skip('no pg_dump is installed')
        const trip = await roundTrip({
          source: await sharedTestCluster(way.from),
          target: await sharedTestCluster(way.to),
          setup: specimen.sql,
          pgDump,
        })
        try {
          const findings = textOf(await trip.create())
          expectFindings(findings, way.dump ? undefined : specimen.catalogFindings)
          await trip.work()
          expectFindings(textOf(await trip.compare()), way.dump ? undefined : specimen.catalogFindings)
          const leftovers = await trip.infrastructure.schemaWork()
          assert.ok(leftovers.every((work) => work.target === 'target/0'))
        } finally {
          await trip.end()
        }
      })
    }
  })
}

function expectFindings(found: readonly string[], expected: Specimen['catalogFindings']): void {
  if (!expected) return assert.deepEqual(found, [])
  for (const pattern of expected)
    assert.ok(
      found.some((each) => pattern.test(each)),
      `${pattern} in ${found.join('\n')}`,
    )
  for (const each of found)
    assert.ok(
      expected.some((pattern) => pattern.test(each)),
      `unexpected: ${each}`,
    )
}
