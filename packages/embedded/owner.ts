// No cluster outlives the process it was started for, unless it was asked to.
//
// Three nets, since a process can end in three ways. An orderly exit stops ephemeral clusters in the exit handler. A
// process that dies any other way (a signal, kill -9, a crash) closes a pipe on which a small shell waits; the shell
// then stops the cluster. Should that shell be killed too, or the machine restart, the next start on this machine finds
// the directory by its owner file and removes it.
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { baseDirectory } from './places.ts'
import { removeHome, runningPostmaster } from './postmaster.ts'
import { isAlive, processStartTicks, sendSignal, waitForEndSync } from './processes.ts'

const ownerFile = 'owner.json'
/** A directory without an owner file may be one that is being made right now; older than this it is debris. */
const unownedAgeMsMax = 600_000
const stopTimeoutMs = 10_000

/** `null`: nobody, the cluster stays until it is destroyed. */
type Owner = { pid: number; startTicks: string } | null

/** Records this process as the owner of a cluster's home directory, or that the cluster is to stay. */
export function recordOwner(home: string, ephemeral: boolean): void {
  const owner: Owner = ephemeral ? { pid: process.pid, startTicks: processStartTicks(process.pid) ?? '' } : null
  writeFileSync(join(home, ownerFile), JSON.stringify(owner))
}

/** Ephemeral homes of this process that still stand; the exit handler takes them down. */
const ownedHomes = new Set<string>()

/**
 * Ties a home directory to the life of this process: when the process ends, in whatever way, the cluster in it is
 * stopped and the directory removed. Returns the function that releases it.
 */
export function tieToThisProcess(home: string): () => void {
  if (ownedHomes.size === 0) process.on('exit', removeOwnedHomes)
  ownedHomes.add(home)
  const watchdog = startWatchdog(home)
  return () => {
    ownedHomes.delete(home)
    if (ownedHomes.size === 0) process.removeListener('exit', removeOwnedHomes)
    watchdog()
  }
}

/** Removes the ephemeral clusters below the base directory whose owner has ended. Safe to run in several processes. */
export function reapAbandonedClusters(): void {
  const clusters = join(baseDirectory(), 'clusters')
  for (const name of readdirSync(clusters)) {
    const home = join(clusters, name)
    if (!isAbandoned(home)) continue
    stopAndRemove(home)
    // The home is ours alone here, so that what an owner left half made goes too.
    rmSync(home, { recursive: true, force: true })
  }
}

function isAbandoned(home: string): boolean {
  try {
    const owner = JSON.parse(readFileSync(join(home, ownerFile), 'utf8')) as Owner
    return owner !== null && !isAlive(owner.pid, owner.startTicks)
  } catch {
    return existsSync(home) && Date.now() - statSync(home).mtimeMs > unownedAgeMsMax
  }
}

function removeOwnedHomes(): void {
  // All are told first and awaited after, so that many clusters take no longer than one.
  for (const home of ownedHomes) {
    const postmaster = runningPostmaster(home)
    if (postmaster) sendSignal(postmaster.pid, 'SIGQUIT')
  }
  for (const home of ownedHomes) stopAndRemove(home)
}

function stopAndRemove(home: string): void {
  const postmaster = runningPostmaster(home)
  if (postmaster) {
    sendSignal(postmaster.pid, 'SIGQUIT')
    if (!waitForEndSync(postmaster.pid, stopTimeoutMs)) sendSignal(postmaster.pid, 'SIGKILL')
  }
  removeHome(home)
}

/**
 * Waits for the end of its standard input, which only this process holds open, then stops the postmaster it finds. It
 * looks for the pid at that moment, so that a cluster that was restarted since is found too, and it signals only a
 * process whose working directory is the cluster's (pids are reused).
 */
const watchdogScript = `
read -r released && exit 0
cd "$1/data" 2>/dev/null || exit 0
data=$(pwd -P)
read -r pid < postmaster.pid
if [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd")" = "$data" ]; then
  kill -QUIT "$pid"
  tries=0
  while [ "$(readlink "/proc/$pid/cwd")" = "$data" ] && [ "$tries" -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
  [ "$tries" -lt 100 ] || kill -KILL "$pid"
fi
cd / && rm -rf -- "$data" "$1/data" "$1/server.log" "$1/owner.json" && rmdir -- "$1"
`

function startWatchdog(home: string): () => void {
  const watchdog = spawn('/bin/sh', ['-c', watchdogScript, 'crossfade-watchdog', home], {
    // Its own process group and session: it must survive what is sent to ours.
    detached: true,
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  watchdog.on('error', () => {
    // Without a shell there is no watchdog; the exit handler and the next start still clean up.
  })
  watchdog.stdin.on('error', () => {})
  watchdog.unref()
  ;(watchdog.stdin as unknown as { unref(): void }).unref()
  return () => {
    watchdog.stdin.end('released\n')
  }
}
