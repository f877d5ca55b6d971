import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Cluster, startCluster } from '@crossfade/embedded/cluster.ts'
import { fail, reasonOf } from '@crossfade/model/failure.ts'
import { isAlive, withFileLock } from './file-lock.ts'

/** Where an embedded control database lives, below the working directory. */
const homeName = '.crossfade'
const databaseName = 'crossfade'
const embeddedVersion = 18

export interface ControlDatabase {
  /** With the password where it has one: never show it. */
  readonly url: string
  /** Lets go of it. An embedded one is stopped by the last process that does. Idempotent. */
  release(): Promise<void>
}

/**
 * The control database: `url`, else CROSSFADE_CONTROL_URL, else an embedded PostgreSQL under `.crossfade` that all processes of this directory share:
 * whoever finds it not running starts it. CF7004 when that fails.
 */
export async function openControl(url: string | undefined, directory = process.cwd()): Promise<ControlDatabase> {
  const given = url ?? process.env['CROSSFADE_CONTROL_URL']
  if (given) return { url: given, release: async () => {} }
  const home = resolve(directory, homeName)
  try {
    return await openEmbedded(home)
  } catch (error) {
    throw fail('CF7004', { directory: home, reason: reasonOf(error) }, error)
  }
}

async function openEmbedded(home: string): Promise<ControlDatabase> {
  mkdirSync(home, { recursive: true, mode: 0o711 })
  const lock = join(home, 'control.lock')
  const users = join(home, 'users')
  mkdirSync(users, { recursive: true })
  const mark = join(users, `${process.pid}.${randomBytes(4).toString('hex')}`)
  const cluster = await withFileLock(lock, async () => {
    const started = await startCluster({
      version: embeddedVersion,
      directory: join(home, 'control'),
      password: passwordOf(join(home, 'control.password')),
      ephemeral: false,
    })
    await createDatabaseOnce(started)
    writeFileSync(mark, '')
    return started
  })
  let released = false
  return {
    url: cluster.superuserUrl(databaseName),
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

/** Made once and kept beside the cluster, readable by this user alone: others on the machine can reach the port. */
function passwordOf(path: string): string {
  if (!existsSync(path)) writeFileSync(path, randomBytes(24).toString('base64url'), { mode: 0o600 })
  return readFileSync(path, 'utf8')
}

async function createDatabaseOnce(cluster: Cluster): Promise<void> {
  try {
    await cluster.createDatabase(databaseName)
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
