// A process that owns a cluster, for tests of what happens to the cluster when its owner dies: starts one, prints where
// it is as one line of JSON, and lives until it is killed. Takes a version and, for a persistent cluster, a directory.

import type { PostgresVersion } from './binaries.ts'
import { startCluster } from './cluster.ts'

export interface OwnedCluster {
  directory: string
  port: number
  pid: number
  ownerPid: number
}

const [version = '18', directory] = process.argv.slice(2)
const cluster = await startCluster({
  version: Number(version) as PostgresVersion,
  ...(directory === undefined ? {} : { directory }),
})
const owned: OwnedCluster = {
  directory: cluster.directory,
  port: cluster.port,
  pid: cluster.pid() ?? 0,
  ownerPid: process.pid,
}
process.stdout.write(`${JSON.stringify(owned)}\n`)
setInterval(() => {}, 60_000)
