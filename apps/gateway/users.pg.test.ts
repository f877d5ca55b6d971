// `crossfade mcp users` beside a running server with two workers.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { accessTokenPrefix, tokenDigest } from '@crossfade/accounts/oauth-tokens.ts'
import { freshDatabase, sharedTestCluster } from '@crossfade/embedded/testing.ts'
import { openPool } from '@crossfade/mcp-database/pool.ts'
import type { Pool } from 'pg'
import { type AcmeUpstream, startAcme } from './testing/acme.ts'
import { callOrder } from './testing/requests.ts'
import { type ServerProcess, startServerProcess } from './testing/server-process.ts'

const ann = 'ann@example.org'
/** More than one connection, so that each of two workers is asked. */
const rounds = 8

let acme: AcmeUpstream
let admin: Pool
let server: ServerProcess
let password: string
before(async () => {
  acme = await startAcme()
  acme.keys.set('right-key', 'ann')
  const database = await freshDatabase(await sharedTestCluster(18), 'users')
  admin = openPool(database.url, { applicationName: 'test', connectionsMax: 1 })
  server = await startServerProcess({
    workers: 2,
    args: ['--allow-upstream', acme.host, '--no-health-checks'],
    env: { CROSSFADE_MCP_DATABASE_URL: database.url },
    services: acme.services,
  })
})
after(async () => {
  await server?.stop()
  await admin?.end()
  await acme?.stop()
})

const run = (...args: readonly string[]) => server.run('mcp', 'users', ...args)
async function json<Body>(...args: readonly string[]): Promise<Body> {
  const { code, stdout, stderr } = await run(...args, '--json')
  assert.equal(code, 0, stdout + stderr)
  return JSON.parse(stdout) as Body
}
async function refused(code: string, ...args: readonly string[]): Promise<string> {
  const outcome = await run(...args)
  assert.notEqual(outcome.code, 0)
  assert.match(outcome.stdout + outcome.stderr, new RegExp(code))
  return outcome.stdout + outcome.stderr
}

async function signIn(secret: string): Promise<{ readonly status: number; readonly cookie: string }> {
  const origin = { origin: server.origin }
  const answer = await server.api('POST', '/auth/sign-in/email', { email: ann, password: secret }, origin)
  return { status: answer.status, cookie: cookieOf(answer.headers) }
}

function cookieOf(headers: Headers): string {
  return headers
    .getSetCookie()
    .map((set) => set.split(';')[0])
    .join('; ')
}

/** What every worker answers: each request has a connection of its own. */
async function everywhere<Answer>(ask: () => Promise<Answer>): Promise<Answer[]> {
  const answers = new Set<Answer>()
  for (let round = 0; round < rounds; round += 1) answers.add(await ask())
  return [...answers]
}

test('a user is made with a password that is printed once and signs in; an unknown address is told with those that are near', async () => {
  assert.match(await refused('CF12313', 'set-password', 'an@example.org'), /no user an@example\.org/)
  const made = await json<{ email: string; password: string }>('set-password', ann, '--new')
  password = made.password
  assert.equal((await signIn(password)).status, 200)
  assert.match(await refused('CF12313', 'set-role', 'anna@example.org', 'admin'), /Did you mean ann@example\.org/)
  const listed = await json<{ email: string; role: string; active: boolean }[]>('list')
  assert.deepEqual(
    listed.map(({ email, role, active }) => [email, role, active]),
    [
      ['local@localhost', 'admin', true],
      [ann, 'member', true],
    ],
  )
  assert.ok(!server.log.includes(password))
})

test('a new password ends the sessions that there were', async () => {
  const { cookie } = await signIn(password)
  const session = async () => (await server.api('GET', '/user/instances', undefined, { cookie })).status
  assert.deepEqual(await everywhere(session), [200])
  const { stdout } = await run('set-password', ann)
  assert.deepEqual(await everywhere(session), [401])
  assert.equal((await signIn(password)).status, 401)
  password = stdout.trim().split('\n').at(-1)!.trim()
  assert.equal((await signIn(password)).status, 200)
})

test('who is switched off has no session, no instance token and no OAuth token at any worker, and the instance tokens again when switched on', async () => {
  const { cookie } = await signIn(password)
  const asAnn = { cookie, origin: server.origin }
  const connected = await server.api<{ instance: { url: string }; minted: { secret: string } }>(
    'POST',
    '/services/acme/authenticate',
    { apiKey: 'right-key' },
    asAnn,
  )
  const { url } = connected.body.instance
  const { secret } = connected.body.minted
  const oauth = await grantedToken(url)
  const session = async () => (await server.api('GET', '/user/instances', undefined, { cookie })).status
  const whoever = [session, () => callOrder(url, secret), () => callOrder(url, oauth)]
  for (const ask of whoever) assert.deepEqual(await everywhere(ask), [200], String(ask))
  await json('switch-off', ann)
  for (const ask of whoever) assert.deepEqual(await everywhere(ask), [401], String(ask))
  assert.equal((await signIn(password)).status, 401)
  await refused('CF12306', 'sign-in-link', ann)
  await json('switch-on', ann)
  assert.deepEqual(await everywhere(() => callOrder(url, secret)), [200])
  assert.deepEqual(await everywhere(session), [401])
  assert.deepEqual(await everywhere(() => callOrder(url, oauth)), [401])
  assert.equal((await signIn(password)).status, 200)
})

test('a link signs in once, as that user', async () => {
  const { url } = await json<{ url: string; endsAt: string }>('sign-in-link', ann)
  const { origin, pathname, searchParams } = new URL(url)
  assert.equal(origin, server.origin)
  const use = () =>
    fetch(`${origin}${pathname}`, {
      method: 'POST',
      redirect: 'manual',
      headers: { origin, 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ code: searchParams.get('code')! }),
    })
  const first = await use()
  assert.equal(first.status, 303, await first.text())
  const session = await server.api<{ user: { email: string } }>('GET', '/auth/get-session', undefined, {
    cookie: cookieOf(first.headers),
  })
  assert.equal(session.body.user.email, ann)
  assert.deepEqual((await use()).headers.getSetCookie(), [])
  assert.ok(!server.log.includes(searchParams.get('code')!))
})

test('the last administrator is not taken away, neither by role nor by switching off, and a second one may be', async () => {
  await refused('CF12308', 'set-role', 'local@localhost', 'member')
  await refused('CF12308', 'switch-off', 'local@localhost')
  await json('set-role', ann, 'admin')
  await json('set-role', 'local@localhost', 'member')
  await refused('CF12308', 'switch-off', ann)
  await json('set-role', 'local@localhost', 'admin')
  await json('set-role', ann, 'member')
})

test('all of it stands in the audit log, and none of it holds a secret', async () => {
  const { rows } = await admin.query<{ action: string; text: string }>(
    `SELECT action, (details::text || subject) AS text FROM audit_log WHERE user_id = (SELECT id FROM users WHERE email = $1)`,
    [ann],
  )
  const actions = new Set(rows.map(({ action }) => action))
  for (const action of ['password.set', 'user.switch_off', 'user.switch_on', 'user.sign_in_link', 'user.role']) {
    assert.ok(actions.has(action), action)
  }
  assert.ok(rows.every(({ text }) => !text.includes(password)))
})

/** A token as the OAuth server stores it after somebody has consented. */
async function grantedToken(resource: string): Promise<string> {
  const token = randomBytes(32).toString('base64url')
  await admin.query(`INSERT INTO oauth_clients (client_id, redirect_uris, created_at) VALUES ('client', '[]', now())`)
  await admin.query(
    `INSERT INTO oauth_access_tokens (token, client_id, user_id, resources, expires_at, created_at, scopes)
     SELECT $1, 'client', id, $2, now() + interval '10 minutes', now(), $3 FROM users WHERE email = $4`,
    [tokenDigest(token), JSON.stringify([resource]), JSON.stringify(['mcp:call']), ann],
  )
  return `${accessTokenPrefix}${token}`
}
