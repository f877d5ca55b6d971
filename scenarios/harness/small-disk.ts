import { execFileSync } from 'node:child_process'
import { appendFileSync, chownSync, mkdirSync, rmSync, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Cluster } from '@crossfade/embedded/cluster.ts'
import { run } from './move.ts'

const MiB = 1024 * 1024

/** A disk of its own for databases of a server. */
export interface SmallDisk {
  /** Name of the tablespace on it. */
  readonly tablespace: string
  /** Leaves so many bytes free. */
  fill(bytesLeft: number): void
  /** Gives everything back that `fill` took. */
  free(): void
  /** Takes the disk away, and with it what is on it; its server must stand still. */
  unmount(): void
}

/** Makes a disk in memory of that size and a tablespace on it; null where this process may not mount one. */
export async function smallDisk(cluster: Cluster, bytes: number): Promise<SmallDisk | null> {
  const tablespace = `small_${process.pid}`
  const place = join(cluster.directory, tablespace)
  const owner = statSync(join(cluster.directory, 'data'))
  mkdirSync(place)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', place], { stdio: 'ignore' })
  } catch {
    return null
  }
  const [data, filler] = [join(place, 'data'), join(place, 'filler')]
  mkdirSync(data, { mode: 0o700 })
  chownSync(data, owner.uid, owner.gid)
  await run(cluster.superuserUrl(), `CREATE TABLESPACE ${tablespace} LOCATION '${data}'`)
  const freeBytes = () => {
    const { bavail, bsize } = statfsSync(place)
    return bavail * bsize
  }
  return {
    tablespace,
    fill(bytesLeft) {
      const page = Buffer.alloc(MiB / 16)
      while (freeBytes() > bytesLeft + page.length) appendFileSync(filler, page)
    },
    free: () => rmSync(filler, { force: true }),
    unmount() {
      execFileSync('umount', [place], { stdio: 'ignore' })
    },
  }
}
