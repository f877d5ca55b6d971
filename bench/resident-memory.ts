import { readFileSync } from 'node:fs'

/** The most memory that a process has held so far, in megabytes, as Linux counts it; 0 when the process is gone. */
export function peakMegabytes(pid: number): number {
  try {
    return Math.round(Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024)
  } catch {
    return 0
  }
}
