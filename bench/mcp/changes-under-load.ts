// What happens to requests while keys are rotated, the catalog is read again, and a token is revoked.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import type { ServerProcess } from '@crossfade/gateway-app/testing/server-process.ts'
import { apiOf, type Connected } from './installation.ts'
import { load } from './load.ts'
import { callBody, listBody, mcpHeaders } from './requests.ts'

const commandLine = resolve(import.meta.dirname, '..', '..', 'apps', 'cli', 'main.ts')
const tool = 'getItem1'
const connections = 8

export interface ChangesUnderLoad {
  readonly requests: number
  readonly failed: number
  readonly complaints: readonly string[]
}

/** Calls while `change` happens again and again. */
async function under(
  installation: ServerProcess,
  to: Connected,
  seconds: number,
  change: () => Promise<void>,
): Promise<ChangesUnderLoad> {
  let goingOn = true
  const changing = (async () => {
    while (goingOn) await change()
  })()
  const result = await load({
    origin: installation.origin,
    method: 'POST',
    headers: mcpHeaders('tools/call', tool, to.token),
    path: () => to.path,
    body: (n) => callBody(n, tool),
    connections,
    seconds,
  })
  goingOn = false
  await changing
  return result
}

/** Both levels of keys are rotated as often as goes. */
export function rotationUnderLoad(
  installation: ServerProcess,
  to: Connected,
  seconds: number,
): Promise<ChangesUnderLoad> {
  return under(installation, to, seconds, async () => {
    const rotation = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', commandLine, 'mcp', 'rotate-keys', '--json'],
      { cwd: installation.directory, stdio: ['ignore', 'ignore', 'inherit'] },
    )
    const [code] = (await once(rotation, 'exit')) as [number]
    if (code !== 0) throw new Error(`the rotation ended with ${code}`)
  })
}

/** The catalog is read again four times a second. */
export function reloadUnderLoad(
  installation: ServerProcess,
  to: Connected,
  seconds: number,
): Promise<ChangesUnderLoad> {
  return under(installation, to, seconds, async () => {
    process.kill(installation.pid, 'SIGHUP')
    await new Promise((resolve) => setTimeout(resolve, 250))
  })
}

/** How long after the answer to its revocation a token still opened something on any worker, in ms, for each of `rounds` tokens. */
export async function revocations(installation: ServerProcess, to: Connected, rounds: number): Promise<number[]> {
  const serviceType = to.path.split('/')[2]!
  const times: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const minted = await apiOf<{ token: { id: string }; secret: string }>(
      installation,
      'POST',
      `/services/${serviceType}/instance/tokens`,
      { name: `revoked ${round}` },
    )
    // New connections each time, so that every worker is asked, and has the token in memory.
    for (let n = 0; n < 20; n += 1) await ask(installation, to.path, minted.secret)
    await apiOf(installation, 'DELETE', `/services/${serviceType}/instance/tokens/${minted.token.id}`)
    const revoked = performance.now()
    let last = revoked
    let refused = 0
    while (refused < 40) {
      const begun = performance.now()
      if ((await ask(installation, to.path, minted.secret)) === 401) refused += 1
      else {
        refused = 0
        last = begun
      }
    }
    times.push(last - revoked)
  }
  return times
}

async function ask(installation: ServerProcess, path: string, token: string): Promise<number> {
  const response = await fetch(`${installation.origin}${path}`, {
    method: 'POST',
    headers: { ...mcpHeaders('tools/list', undefined, token), connection: 'close' },
    body: listBody(1),
  })
  await response.arrayBuffer()
  return response.status
}
