import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { systemClock } from '@crossfade/model/clock.ts'
import { isAlive } from './processes.ts'

const retryMs = 50
const waitMsMax = 60_000

/** Runs `work` while no other process of this machine does under the same lock file. A lock whose holder has died is taken over. */
export async function withFileLock<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  mkdirSync(dirname(path), { recursive: true })
  const deadline = performance.now() + waitMsMax
  while (!take(path)) {
    if (!isAliveHolder(path)) rmSync(path, { force: true })
    else if (performance.now() > deadline) throw new Error(`another process has held ${path} for ${waitMsMax / 1000} s`)
    await systemClock.sleep(retryMs)
  }
  try {
    return await work()
  } finally {
    rmSync(path, { force: true })
  }
}

function take(path: string): boolean {
  try {
    const file = openSync(path, 'wx')
    writeSync(file, String(process.pid))
    closeSync(file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** An empty file belongs to a process that is just writing its number. */
function isAliveHolder(path: string): boolean {
  try {
    const text = readFileSync(path, 'utf8')
    return text === '' || isAlive(Number(text))
  } catch {
    return true
  }
}
