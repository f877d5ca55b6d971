import { type ChildProcess, spawn } from 'node:child_process'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { TrafficReport, TrafficSettings } from './traffic-settings.ts'

/** A running client program. */
export interface TrafficProcess {
  readonly pid: number
  /** The latest report; null until the first one came. */
  latest(): TrafficReport | null
  /** Ends a window of latencies and begins the next one. Gives the latencies of all writes that were answered in it; rejects when the program has ended. */
  window(): Promise<TrafficReport['latencyMs']>
  /** Lets it finish what is under way and close its ledger. Gives its last report. Idempotent. */
  stop(): Promise<TrafficReport>
}

/** A client program that does not end within this after it was told to is killed; its ledger then lacks what was not yet flushed. */
const stopMsMax = 30_000

/**
 * Starts the client program and resolves with its first report, so that it is known to write. It ends with this process, since its
 * standard input closes then. Rejects when it ends before its first report.
 */
export async function spawnTraffic(
  settings: TrafficSettings,
  onReport: (report: TrafficReport) => void = () => {},
): Promise<TrafficProcess> {
  const child: ChildProcess = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      fileURLToPath(new URL('./traffic-process.ts', import.meta.url)),
      JSON.stringify(settings),
    ],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  )
  let latest: TrafficReport | null = null
  const windows: ((report: TrafficReport) => void)[] = []
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout! }).on('line', (line) => {
      latest = JSON.parse(line) as TrafficReport
      onReport(latest)
      if (latest.windowEnds) windows.shift()?.(latest)
      resolve()
    })
    child.once('error', reject)
    void ended.then(() => reject(new Error('the client program ended before it wrote anything')))
  })
  return {
    pid: child.pid!,
    latest: () => latest,
    window: async () => {
      const report = new Promise<TrafficReport>((resolve, reject) => {
        windows.push(resolve)
        void ended.then(() => reject(new Error('the client program ended before its window did')))
      })
      child.stdin!.write('window\n')
      return (await report).latencyMs
    },
    stop: async () => {
      if (child.exitCode === null) child.stdin!.end('stop\n')
      const killing = setTimeout(() => child.kill('SIGKILL'), stopMsMax)
      await ended
      clearTimeout(killing)
      if (!latest?.done) throw new Error('the client program ended without its last report')
      return latest
    },
  }
}
