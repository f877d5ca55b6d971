// Every directory here that has a source.sql is a scenario: one edge case, moved live from PostgreSQL 16 to 18 and back.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { startCluster } from '@crossfade/embedded/cluster.ts'
import { runScenario, type Servers } from './harness/run-scenario.ts'

const here = import.meta.dirname

describe('scenarios: moved live, verified, back, forward', () => {
  let servers: Servers
  before(async () => {
    const [source, target, control] = await Promise.all([
      startCluster({ version: 16 }),
      startCluster({ version: 18 }),
      startCluster({ version: 18 }),
    ])
    servers = { source, target, control }
  })
  after(async () => {
    await Promise.all(Object.values(servers).map((cluster) => cluster.destroy()))
  })
  for (const name of readdirSync(here)) {
    const directory = join(here, name)
    if (!existsSync(join(directory, 'source.sql'))) continue
    // The first line of source.sql says what the scenario proves, with the ids of what it answers to.
    const title = readFileSync(join(directory, 'source.sql'), 'utf8').split('\n')[0]!.replace(/^-- /, '')
    it(`${name}: ${title}`, () => runScenario(directory, servers))
  }
})
