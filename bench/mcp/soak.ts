// The same load for a long time: memory and processes must not grow.
import type { ServerProcess } from '@crossfade/gateway-app/testing/server-process.ts'
import type { Connected } from './installation.ts'
import { load } from './load.ts'
import { residentMb } from './processes.ts'
import { callBody, mcpHeaders } from './requests.ts'

const connections = 16
const rate = 1_000
const tool = 'getItem1'
const looks = 40

export interface Soak {
  readonly seconds: number
  readonly requests: number
  readonly failed: number
  /** Medians of the first and the last quarter. */
  readonly firstMb: number
  readonly lastMb: number
  readonly processes: number
}

/** Calls at a steady rate, and looks at the memory now and then. */
export async function soak(server: ServerProcess, to: Connected, seconds: number): Promise<Soak> {
  const memory: number[] = []
  const timer = setInterval(
    () => memory.push(server.workers.reduce((sum, pid) => sum + residentMb(pid), 0)),
    (seconds * 1_000) / looks,
  )
  const result = await load({
    origin: server.origin,
    method: 'POST',
    headers: mcpHeaders('tools/call', tool, to.token),
    path: () => to.path,
    body: (n) => callBody(n, tool),
    connections,
    seconds,
    rate,
  })
  clearInterval(timer)
  const quarter = Math.max(1, Math.floor(memory.length / 4))
  const middle = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
  return {
    seconds,
    requests: result.requests,
    failed: result.failed,
    firstMb: middle(memory.slice(0, quarter)),
    lastMb: middle(memory.slice(-quarter)),
    processes: server.workers.length,
  }
}
