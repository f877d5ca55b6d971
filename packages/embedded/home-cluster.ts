// The PostgreSQL server that the processes of one directory share: whoever finds it not running starts it, the last one stops it.
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Cluster, startCluster } from './cluster.ts'
import { withFileLock } from './file-lock.ts'
import { isAlive } from './processes.ts'

const embeddedVersion = 18

export interface HomeDatabase {
  /** The superuser's, with its password: never show it. */
  readonly url: string
  /** Lets go of it. The server is stopped by the last process that does. Idempotent. */
  release(): Promise<void>
}

/** Opens the database `name` of the server under `home`, both made when they are missing. Rejects with what kept the server from starting. */
export async function openHomeDatabase(home: string, name: string): Promise<HomeDatabase> {
  mkdirSync(home, { recursive: true, mode: 0o711 })
  const lock = join(home, 'control.lock')
  const users = join(home, 'users')
  mkdirSync(users, { recursive: true })
  const mark = join(users, `${process.pid}.${randomBytes(4).toString('hex')}`)
  const cluster = await withFileLock(lock, async () => {
    const started = await homeCluster(home)
    await createDatabaseOnce(started, name)
    writeFileSync(mark, '')
    return started
  })
  let released = false
  return {
    url: cluster.superuserUrl(name),
    async release() {
      if (released) return
      released = true
      await withFileLock(lock, async () => {
        rmSync(mark, { force: true })
        if (liveUsers(users) === 0) await cluster.stop()
      })
    },
  }
}

/** The server under `home` itself, started when it does not run. Nobody is counted as its user by this. */
export function homeCluster(home: string): Promise<Cluster> {
  return startCluster({
    version: embeddedVersion,
    directory: join(home, 'control'),
    password: passwordOf(join(home, 'control.password')),
    ephemeral: false,
  })
}

/** Made once and kept beside the cluster, readable by this user alone: others on the machine can reach the port. */
function passwordOf(path: string): string {
  if (!existsSync(path)) writeFileSync(path, randomBytes(24).toString('base64url'), { mode: 0o600 })
  return readFileSync(path, 'utf8')
}

async function createDatabaseOnce(cluster: Cluster, name: string): Promise<void> {
  try {
    await cluster.createDatabase(name)
  } catch (error) {
    if ((error as { code?: string }).code !== '42P04') throw error
  }
}

/** Processes that still use it; marks of those that died are removed. */
function liveUsers(users: string): number {
  let live = 0
  for (const name of readdirSync(users)) {
    if (isAlive(Number(name.split('.')[0]))) live += 1
    else rmSync(join(users, name), { force: true })
  }
  return live
}
