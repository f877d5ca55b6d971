import { readFileSync } from 'node:fs'

const clockTicksPerSecond = 100

/** Memory of a process that nobody shares, and its part of what is shared (PSS), in MB. */
export function memoryMb(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  return Number(/^Pss:\s+(\d+)/m.exec(text)![1]) / 1_024
}

/** Resident memory of a process in MB, what it shares with others included. */
export function residentMb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1_024
}

/** Processor time that a process has used, in ms. */
export function processorMs(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return ((Number(fields[11]) + Number(fields[12])) / clockTicksPerSecond) * 1_000
}
