import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { followAuthorization, newInstance, newPerson, startTestAccounts, type TestAccounts } from './testing.ts'

let platform: TestAccounts
before(async () => {
  platform = await startTestAccounts()
})
after(() => platform.close())

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

test('the official conformance suite passes against the authorization server, with a person who consents', async () => {
  const person = await newPerson(platform)
  const resource = await newInstance(platform, person.userId)
  const port = await freePort()
  const registered = await fetch(`${platform.accounts.issuer}/oauth2/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      client_name: 'Conformance suite',
      redirect_uris: [`http://127.0.0.1:${port}/callback`],
      token_endpoint_auth_method: 'none',
    }),
  })
  const { client_id } = (await registered.json()) as { client_id: string }
  const program = fileURLToPath(
    new URL('../../node_modules/@modelcontextprotocol/conformance/dist/index.js', import.meta.url),
  )
  const suite = spawn(
    process.execPath,
    [
      program,
      'authorization',
      '--url',
      platform.accounts.issuer,
      '--client-id',
      client_id,
      '--resource',
      resource,
      '-p',
      `${port}`,
      '--verbose',
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const lines: string[] = []
  suite.stderr.on('data', (data) => lines.push(String(data)))
  const ended = new Promise<number | null>((resolve) => suite.on('close', resolve))
  for await (const line of createInterface({ input: suite.stdout })) {
    lines.push(line)
    if (!line.startsWith(`${platform.accounts.issuer}/oauth2/authorize`)) continue
    const { location } = await followAuthorization(person.browser, line.trim())
    await fetch(location!)
  }
  const code = await ended
  const told = lines.join('\n')
  assert.equal(code, 0, told)
  assert.match(told, /Total: 2 passed, 0 failed/)
})
