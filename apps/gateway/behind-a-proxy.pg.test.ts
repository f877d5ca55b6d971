import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { testPassword } from '@crossfade/accounts/testing.ts'
import { startTestGateway, type TestGateway } from './testing/gateway.ts'

const one = { 'x-forwarded-for': '203.0.113.7' }
const other = { 'x-forwarded-for': '203.0.113.8' }
let behind: TestGateway
let open: TestGateway

before(async () => {
  const requestLimits = {
    reads: { callsPerSecond: 20, burstCalls: 400 },
    writes: { callsPerSecond: 0.01, burstCalls: 20 },
  }
  const metrics = async () => ({ contentType: 'text/plain', text: 'calls 1' })
  behind = await startTestGateway([], [], {}, { trustedProxies: ['127.0.0.1'], requestLimits, metrics })
  open = await startTestGateway([], [])
})
after(async () => {
  await behind.close()
  await open.close()
})

/** Addresses that somebody has signed in from, as the audit log has them. */
async function auditedFrom(gateway: TestGateway, name: string): Promise<string[]> {
  const person = await gateway.signUp(name)
  await person.call('POST', '/auth/sign-in/email', { email: person.email, password: testPassword }, one)
  const { body } = await person.call('GET', '/user/audit?limit=200')
  return body.entries.map((entry: { sourceIp: string | null }) => entry.sourceIp)
}

test('SI-14 behind a trusted proxy the audit log names the caller, elsewhere nobody is believed who they say they are', async () => {
  assert.ok((await auditedFrom(behind, 'ann')).includes('203.0.113.7'))
  assert.ok(!(await auditedFrom(open, 'ben')).includes('203.0.113.7'))
})

test('attempts behind a proxy are counted for each caller: one who guesses keeps nobody else out', async () => {
  const { email } = await behind.signUp('cleo')
  const signIn = async (headers: Record<string, string>, password: string) => {
    const answer = await fetch(`${behind.baseUrl}/api/v1/auth/sign-in/email`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: behind.baseUrl, ...headers },
      body: JSON.stringify({ email, password }),
    })
    return answer.status
  }
  let last = 0
  for (let tries = 0; tries < 15 && last !== 429; tries++) last = await signIn(one, 'wrong password')
  assert.equal(last, 429)
  assert.equal(await signIn(other, testPassword), 200)
})

test('SI-10 an account that sends changes without end is answered 429 with the time to wait; what it asks goes on', async () => {
  const dan = await behind.signUp('dan')
  let last = await dan.call('DELETE', '/user/tokens/none')
  for (let tries = 0; tries < 25 && last.status !== 429; tries++) last = await dan.call('DELETE', '/user/tokens/none')
  assert.deepEqual([last.status, last.body.code], [429, 'CF12037'])
  assert.ok(Number(last.headers.get('retry-after')) >= 1)
  assert.equal((await dan.call('GET', '/user/tokens')).status, 200)
})

test('the metrics of an installation, in which services of its people are named, are for its own network', async () => {
  const ask = async (headers: Record<string, string>) => (await fetch(`${behind.baseUrl}/metrics`, { headers })).status
  assert.equal(await ask({}), 200)
  assert.equal(await ask({ 'x-forwarded-for': '10.1.2.3' }), 200)
  for (const address of ['8.8.8.8', '::ffff:8.8.8.8', '2606:4700::1111'])
    assert.equal(await ask({ 'x-forwarded-for': address }), 404, address)
})
