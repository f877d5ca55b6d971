// For tests: one cluster per version in a test process, and as many empty databases in it as needed.
import type { PostgresVersion } from './binaries.ts'
import { type Cluster, startCluster } from './cluster.ts'

const shared = new Map<PostgresVersion, Promise<Cluster>>()
let databases = 0

/** The ephemeral cluster of this process for `version`, started at the first call. It ends with the process. */
export function sharedTestCluster(version: PostgresVersion = 18): Promise<Cluster> {
  let cluster = shared.get(version)
  if (!cluster) {
    cluster = startCluster({ version })
    shared.set(version, cluster)
  }
  return cluster
}

export interface TestDatabase {
  name: string
  /** The superuser's URL of the database. */
  url: string
  /** Ends every connection and drops the database. Replication slots in it must be gone. Idempotent. */
  drop(): Promise<void>
}

/** A new, empty database whose name starts with `prefix` and is unique in the cluster. */
export async function freshDatabase(cluster: Cluster, prefix = 'test'): Promise<TestDatabase> {
  databases += 1
  const name = `${prefix}_${process.pid}_${databases}`
  const url = await cluster.createDatabase(name)
  return { name, url, drop: () => cluster.dropDatabase(name) }
}
