// The model that shared instances replace: one process for each instance, here the official SDK's server. Memory and processor time per call, against one shared runtime.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { ServerProcess } from '@crossfade/gateway-app/testing/server-process.ts'
import type { Connected, Upstream } from './installation.ts'
import { load } from './load.ts'
import { memoryMb, processorMs } from './processes.ts'
import { callBody, mcpHeaders } from './requests.ts'

const instances = 40
const connections = 8
/** Slow enough that both models keep up, so that both do the same work. */
const rate = 200
const tool = 'getItem1'

export interface Comparison {
  readonly instances: number
  readonly dynamicMb: number
  readonly sharedMb: number
  readonly dynamicMsPerCall: number
  readonly sharedMsPerCall: number
}

/** Measures both models at `instances` instances with the same calls. */
export async function processesPerInstance(
  installation: ServerProcess,
  upstream: Upstream,
  shared: Connected,
  programs: string,
  seconds: number,
): Promise<Comparison> {
  const children: ChildProcess[] = []
  const ports: number[] = []
  try {
    for (let n = 0; n < instances; n += 1) {
      const child = fork(join(import.meta.dirname, 'peers', 'sdk-server.ts'), [upstream.origin, '5', programs], {
        execArgv: ['--disable-warning=ExperimentalWarning'],
      })
      children.push(child)
      ports.push(((await once(child, 'message')) as [{ port: number }])[0].port)
    }
    const pids = children.map(({ pid }) => pid!)
    const dynamic = await measured(pids, async () => {
      const results = await Promise.all(
        ports.map((port) =>
          load({
            origin: `http://127.0.0.1:${port}`,
            method: 'POST',
            headers: mcpHeaders('tools/call', tool),
            path: () => '/mcp',
            body: (n) => callBody(n, tool),
            connections: 1,
            seconds,
            rate: rate / instances,
          }),
        ),
      )
      return results.reduce((sum, { requests }) => sum + requests, 0)
    })
    const one = await measured([...installation.workers], async () => {
      const result = await load({
        origin: installation.origin,
        method: 'POST',
        headers: mcpHeaders('tools/call', tool, shared.token),
        path: () => shared.path,
        body: (n) => callBody(n, tool),
        connections,
        seconds,
        rate,
      })
      return result.requests
    })
    return {
      instances,
      dynamicMb: dynamic.memory,
      sharedMb: one.memory,
      dynamicMsPerCall: dynamic.msPerCall,
      sharedMsPerCall: one.msPerCall,
    }
  } finally {
    for (const child of children) child.kill('SIGKILL')
  }
}

/** The first second of each load is not counted as calls but costs processor time in both models alike. */
async function measured(
  pids: readonly number[],
  work: () => Promise<number>,
): Promise<{ memory: number; msPerCall: number }> {
  const sum = (of: (pid: number) => number) => pids.reduce((total, pid) => total + of(pid), 0)
  const before = sum(processorMs)
  const calls = await work()
  const msPerCall = (sum(processorMs) - before) / calls
  return { memory: sum(memoryMb), msPerCall }
}
