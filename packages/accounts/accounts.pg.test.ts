import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openPool } from '@crossfade/mcp-database/pool.ts'
import { cleanUpAccounts } from './clean-up.ts'
import { newPerson, startTestAccounts, type TestAccounts, TestBrowser, testPassword } from './testing.ts'
import { listUsers, setActive, setPassword, setRole, userByEmail } from './users.ts'

let platform: TestAccounts
before(async () => {
  platform = await startTestAccounts()
})
after(() => platform.close())

const sessionOf = (browser: TestBrowser) => platform.accounts.sessionOf(new Headers({ cookie: browser.cookie }))

test('SI-10 of ten first users who sign up at once, one is the admin', async () => {
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, at) =>
      new TestBrowser(platform.baseUrl).post('/sign-up/email', {
        email: `first-${at}@example.org`,
        password: testPassword,
        name: 'First',
      }),
    ),
  )
  assert.deepEqual(
    answers.map((answer) => answer.status),
    answers.map(() => 200),
  )
  const admins = await platform.admin.query(`SELECT 1 FROM users WHERE role = 'admin'`)
  assert.equal(admins.rowCount, 1)
})

test('SI-10 a person signs up, signs in, has a session, and signs out of it', async () => {
  const browser = new TestBrowser(platform.baseUrl)
  const signedUp = await browser.post('/sign-up/email', {
    email: 'Ann@Example.org',
    password: testPassword,
    name: 'Ann',
  })
  assert.equal(signedUp.status, 200)
  assert.equal(await sessionOf(browser), null)
  const signedIn = await browser.signIn('ann@example.org')
  assert.equal(signedIn.status, 200)
  const cookie = signedIn.headers.getSetCookie().join('\n')
  assert.match(cookie, /^crossfade\.session_token=[^;]+;.*HttpOnly/i)
  assert.match(cookie, /SameSite=Lax/i)
  assert.match(cookie, /Path=\//i)
  const session = await sessionOf(browser)
  assert.equal(session?.name, 'Ann')
  assert.equal(session?.email, 'ann@example.org')
  assert.equal(session?.role, 'member')
  const stolen = browser.cookie
  assert.equal((await browser.post('/sign-out')).status, 200)
  assert.equal(await platform.accounts.sessionOf(new Headers({ cookie: stolen })), null)
})

test('passwords are stored as salted scrypt, and no answer holds one', async () => {
  await newPerson(platform)
  const { rows } = await platform.admin.query(`SELECT password FROM accounts WHERE provider_id = 'credential'`)
  for (const row of rows) assert.match(row.password, /^[0-9a-f]{32}:[0-9a-f]{128}$/)
  assert.equal(new Set(rows.map((row) => row.password)).size, rows.length, 'one password, a hash each')
})

test('on https the session cookie is Secure, and an http one of that name counts for nothing', async () => {
  const accounts = platform.open({ baseUrl: 'https://mcp.example.com' })
  const { email } = await newPerson(platform)
  const answer = await accounts.handle(
    new Request('https://mcp.example.com/api/v1/auth/sign-in/email', {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: 'https://mcp.example.com' },
      body: JSON.stringify({ email, password: testPassword }),
    }),
    { address: '192.0.2.77' },
  )
  assert.equal(answer.status, 200)
  assert.match(answer.headers.getSetCookie().join('\n'), /^__Secure-crossfade\.session_token=[^;]+;.*Secure/)
})

test('a known and an unknown address get the same answers, at sign-in and at sign-up', async () => {
  const { email } = await newPerson(platform)
  const browser = new TestBrowser(platform.baseUrl)
  const shape = async (answer: Response) => {
    const body = (await answer.json()) as Record<string, unknown>
    const user = body['user'] as Record<string, unknown> | undefined
    // What must differ: what the person sent, ids and times.
    if (user) for (const name of ['id', 'email', 'createdAt', 'updatedAt']) user[name] = typeof user[name]
    const headers = [...answer.headers.keys()].filter((name) => name !== 'date').sort()
    return JSON.stringify({ status: answer.status, body, headers })
  }
  assert.equal(
    await shape(await browser.signIn(email, 'not the password')),
    await shape(await browser.signIn('nobody@example.org', 'not the password')),
  )
  const signUp = (address: string) =>
    browser.post('/sign-up/email', { email: address, password: 'another password', name: 'Eve' })
  assert.equal(await shape(await signUp(email)), await shape(await signUp('fresh-address@example.org')))
  assert.equal((await browser.signIn(email)).status, 200, 'the second sign-up changed nothing')
})

test('nobody signs up as an admin, with a short password, or where sign-up is closed', async () => {
  const browser = new TestBrowser(platform.baseUrl)
  const body = { email: 'mallory@example.org', password: testPassword, name: 'Mallory' }
  assert.equal((await browser.post('/sign-up/email', { ...body, role: 'admin' })).status, 400)
  assert.equal((await browser.post('/sign-up/email', { ...body, password: 'short' })).status, 400)
  const closed = platform.open({ allowSignUp: false })
  const answer = await closed.handle(
    new Request(`${platform.baseUrl}/api/v1/auth/sign-up/email`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
    { address: '192.0.2.78' },
  )
  assert.equal(answer.status, 400)
  assert.equal((await platform.admin.query(`SELECT 1 FROM users WHERE email = $1`, [body.email])).rowCount, 0)
  // Nor later.
  const person = await newPerson(platform)
  assert.equal((await person.browser.post('/update-user', { role: 'admin' })).status, 400)
  assert.equal((await sessionOf(person.browser))?.role, 'member')
})

test('a cookie that was given to the browser before sign-in opens nothing afterwards', async () => {
  const { email } = await newPerson(platform)
  const browser = new TestBrowser(platform.baseUrl)
  browser.cookies.set('crossfade.session_token', 'planted-by-somebody.c2lnbmF0dXJl')
  assert.equal((await browser.signIn(email)).status, 200)
  assert.doesNotMatch(browser.cookie, /planted/)
  const planted = new Headers({ cookie: 'crossfade.session_token=planted-by-somebody.c2lnbmF0dXJl' })
  assert.equal(await platform.accounts.sessionOf(planted), null)
})

test('a session token from the database is no cookie: it lacks the signature, and one of another secret is refused', async () => {
  const { browser } = await newPerson(platform)
  const token = (await sessionOf(browser))!.sessionToken
  for (const cookie of [token, `${token}.`, `${token}.${'A'.repeat(43)}=`]) {
    assert.equal(await platform.accounts.sessionOf(new Headers({ cookie: `crossfade.session_token=${cookie}` })), null)
  }
  const otherSecret = platform.open({ secret: 'another secret, as long as the first' })
  assert.equal(await otherSecret.sessionOf(new Headers({ cookie: browser.cookie })), null)
})

test('a page of another origin can do nothing with the cookies of a person', async () => {
  const { browser, email } = await newPerson(platform)
  for (const origin of ['https://evil.example', 'null', platform.baseUrl.replace(/\d+$/, '1')]) {
    const answers = [
      await browser.post('/sign-out', {}, { origin }),
      await browser.post(
        '/change-password',
        { currentPassword: testPassword, newPassword: 'stolen stolen' },
        { origin },
      ),
      await browser.post('/delete-user', { password: testPassword }, { origin }),
      // Login CSRF: signing somebody in as the attacker.
      await browser.post('/sign-in/email', { email, password: testPassword }, { origin }),
    ]
    assert.deepEqual(
      answers.map((answer) => answer.status),
      [403, 403, 403, 403],
      origin,
    )
  }
  assert.notEqual(await sessionOf(browser), null)
})

test('a new password ends every other session, even when the caller asks to keep them', async () => {
  const { browser, email } = await newPerson(platform)
  const elsewhere = new TestBrowser(platform.baseUrl)
  await elsewhere.signIn(email)
  const wrong = await browser.post('/change-password', {
    currentPassword: 'wrong wrong',
    newPassword: 'brand new words',
  })
  assert.equal(wrong.status, 400)
  assert.notEqual(await sessionOf(elsewhere), null)
  const before = browser.cookie
  const changed = await browser.post('/change-password', {
    currentPassword: testPassword,
    newPassword: 'brand new words',
    revokeOtherSessions: false,
  })
  assert.equal(changed.status, 200)
  assert.equal(await sessionOf(elsewhere), null)
  assert.equal(await platform.accounts.sessionOf(new Headers({ cookie: before })), null, 'the session has a new token')
  assert.notEqual(await sessionOf(browser), null)
  assert.equal((await elsewhere.signIn(email)).status, 401)
  assert.equal((await elsewhere.signIn(email, 'brand new words')).status, 200)
})

test('a person sees and ends their own sessions, and nobody else’s', async () => {
  const { browser, email } = await newPerson(platform)
  const elsewhere = new TestBrowser(platform.baseUrl)
  await elsewhere.signIn(email)
  const stranger = (await newPerson(platform)).browser
  const list = (await (await browser.get('/list-sessions')).json()) as { token: string }[]
  assert.equal(list.length, 2)
  const token = (await sessionOf(elsewhere))!.sessionToken
  await stranger.post('/revoke-session', { token })
  assert.notEqual(await sessionOf(elsewhere), null)
  await browser.post('/revoke-session', { token })
  assert.equal(await sessionOf(elsewhere), null)
})

test('an account is deleted with its password alone, and everything of it goes', async () => {
  const { browser, userId } = await newPerson(platform)
  assert.equal((await browser.post('/delete-user', {})).status, 400)
  assert.equal((await browser.post('/delete-user', { password: 'not the password' })).status, 400)
  assert.notEqual(await sessionOf(browser), null)
  assert.equal((await browser.post('/delete-user', { password: testPassword })).status, 200)
  for (const table of ['users', 'sessions', 'accounts']) {
    const column = table === 'users' ? 'id' : 'user_id'
    assert.equal(
      (await platform.admin.query(`SELECT 1 FROM ${table} WHERE ${column} = $1`, [userId])).rowCount,
      0,
      table,
    )
  }
})

test('attempts to sign in are counted per address, by all workers together', async () => {
  const { email } = await newPerson(platform)
  const second = platform.open({})
  const attempt = (accounts: typeof second, address: string) =>
    accounts.handle(
      new Request(`${platform.baseUrl}/api/v1/auth/sign-in/email`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-crossfade-caller-address': '203.0.113.200' },
        body: JSON.stringify({ email, password: 'guess guess guess' }),
      }),
      { address },
    )
  const statuses: number[] = []
  for (let at = 0; at < 12; at++) {
    const accounts = at % 2 ? second : platform.accounts
    statuses.push((await attempt(accounts, '203.0.113.5')).status)
  }
  assert.deepEqual(statuses, [...Array(10).fill(401), 429, 429])
  assert.equal((await attempt(second, '203.0.113.6')).status, 401, 'another address')
})

test('without a mailer, what needs one says so; with one, the links arrive and an address is verified before sign-in', async () => {
  const browser = new TestBrowser(platform.baseUrl)
  const refused = await browser.post('/request-password-reset', { email: 'ann@example.org' })
  assert.equal(refused.status, 501)
  const mails: { kind: string; to: string; url: string }[] = []
  const mailing = platform.open({
    sendMail: async (mail) => {
      mails.push(mail)
    },
  })
  const call = (path: string, body?: unknown) =>
    mailing.handle(
      new Request(new URL(path, platform.baseUrl), {
        method: body ? 'POST' : 'GET',
        headers: { 'content-type': 'application/json' },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }),
      { address: '192.0.2.90' },
    )
  const email = 'by-mail@example.org'
  await call('/api/v1/auth/sign-up/email', { email, password: testPassword, name: 'Mail' })
  assert.equal(mails[0]?.kind, 'verify_email')
  assert.equal(mails[0]?.to, email)
  assert.equal((await call('/api/v1/auth/sign-in/email', { email, password: testPassword })).status, 403)
  assert.ok((await call(mails[0]!.url)).status < 400)
  assert.equal((await call('/api/v1/auth/sign-in/email', { email, password: testPassword })).status, 200)

  mails.length = 0
  const unknown = await call('/api/v1/auth/request-password-reset', { email: 'not-here@example.org' })
  const known = await call('/api/v1/auth/request-password-reset', { email })
  assert.equal(unknown.status, known.status)
  assert.equal(await unknown.text(), await known.text())
  assert.equal(mails.filter((mail) => mail.kind === 'reset_password').length, 1)
  const token = new URL(mails.at(-1)!.url).pathname.split('/').at(-1)
  const reset = { token, newPassword: 'a newer password' }
  assert.equal((await call('/api/v1/auth/reset-password', reset)).status, 200)
  assert.equal((await call('/api/v1/auth/reset-password', reset)).status, 400, 'once')
  assert.equal((await call('/api/v1/auth/sign-in/email', { email, password: 'a newer password' })).status, 200)
})

test('a user made inactive loses every session at once and is told no more than with a wrong password', async () => {
  const { browser, userId, email } = await newPerson(platform)
  const pool = openPool(platform.urls.accounts, { applicationName: 'test', connectionsMax: 1 })
  try {
    await setActive(pool, userId as never, false)
    assert.equal(await sessionOf(browser), null)
    const wrong = await browser.signIn(email, 'not the password')
    const right = await browser.signIn(email)
    assert.equal(right.status, wrong.status)
    assert.equal(await right.text(), await wrong.text())
    await setActive(pool, userId as never, true)
    assert.equal((await browser.signIn(email)).status, 200)
  } finally {
    await pool.end()
  }
})

test('an operator sets a password for a user of a legacy platform, who had none that is read', async () => {
  const pool = openPool(platform.urls.accounts, { applicationName: 'test', connectionsMax: 1 })
  try {
    await platform.admin.query(`INSERT INTO users (email, password_hash) VALUES ('legacy@example.org', '$2b$10$abc')`)
    const browser = new TestBrowser(platform.baseUrl)
    assert.equal((await browser.signIn('legacy@example.org', '$2b$10$abc')).status, 401)
    await setPassword(pool, 'legacy@example.org', 'set by the operator')
    assert.equal((await browser.signIn('legacy@example.org', 'set by the operator')).status, 200)
    await assert.rejects(setPassword(pool, 'legacy@example.org', 'short'), { code: 'CF12305' })
  } finally {
    await pool.end()
  }
})

test('an operator lists users, makes one an admin, and switches one off, as the audit log says; addresses are found in any case', async () => {
  const pool = openPool(platform.urls.accounts, { applicationName: 'test', connectionsMax: 1 })
  try {
    const { email } = await newPerson(platform)
    const id = await userByEmail(pool, ` ${email.toUpperCase()}`)
    await setRole(pool, id, 'admin')
    await setActive(pool, id, false)
    const listed = (await listUsers(pool)).find((user) => user.id === id)
    assert.deepEqual([listed?.email, listed?.role, listed?.active], [email, 'admin', false])
    const { rows } = await platform.admin.query('SELECT action FROM audit_log WHERE user_id = $1 ORDER BY id', [id])
    assert.deepEqual(rows.map(({ action }) => action).slice(-2), ['user.role', 'user.switch_off'])
    await assert.rejects(userByEmail(pool, 'nobody@example.org'), { code: 'CF12313' })
  } finally {
    await pool.end()
  }
})

test('what the library offers besides is closed: administration of clients, resources, other users', async () => {
  const { browser } = await newPerson(platform)
  for (const path of [
    '/admin/oauth2/create-client',
    '/oauth2/create-client',
    '/oauth2/consent',
    '/link-social',
    '/x',
  ]) {
    assert.equal((await browser.post(path, { redirect_uris: ['https://x.example/'] })).status, 404, path)
  }
})

test('a body beyond the bound is refused before anybody reads it', async () => {
  const browser = new TestBrowser(platform.baseUrl)
  const answer = await browser.post('/sign-in/email', { email: 'x@example.org', password: 'x'.repeat(70_000) })
  assert.equal(answer.status, 413)
})

test('clean-up deletes what has expired and nothing else', async () => {
  const { browser, userId } = await newPerson(platform)
  await platform.admin.query(
    `INSERT INTO sessions (user_id, token, expires_at) VALUES ($1, 'expired', now() - interval '1 minute')`,
    [userId],
  )
  for (const [client, days] of [
    ['forgotten', 31],
    ['young', 29],
    ['used', 31],
  ] as const)
    await platform.admin.query(
      `INSERT INTO oauth_clients (client_id, redirect_uris, created_at) VALUES ($1, '[]', now() - $2 * interval '1 day')`,
      [client, days],
    )
  await platform.admin.query(
    `INSERT INTO oauth_refresh_tokens (token, client_id, user_id, expires_at, created_at, scopes)
     VALUES ('ended', 'used', $1, now() - interval '2 days', now() - interval '31 days', '[]')`,
    [userId],
  )
  const pool = openPool(platform.urls.accounts, { applicationName: 'test', connectionsMax: 1 })
  await cleanUpAccounts(pool)
  await pool.end()
  assert.notEqual(await sessionOf(browser), null)
  const { rows } = await platform.admin.query(
    `SELECT client_id FROM oauth_clients WHERE client_id IN ('forgotten', 'young', 'used') ORDER BY 1`,
  )
  assert.deepEqual(rows, [{ client_id: 'used' }, { client_id: 'young' }])
  // Shown again after its end it must still be known: it goes with the upkeep, 30 days later.
  assert.equal((await platform.admin.query(`SELECT 1 FROM oauth_refresh_tokens WHERE token = 'ended'`)).rowCount, 1)
  assert.equal((await platform.admin.query(`SELECT 1 FROM sessions WHERE token = 'expired'`)).rowCount, 0)
})

test('a database that is gone is a 503 with nothing of the database in it', async () => {
  const gone = platform.open({ databaseUrl: 'postgres://crossfade_mcp_accounts:hidden@127.0.0.1:1/none' })
  const answer = await gone.handle(
    new Request(`${platform.baseUrl}/api/v1/auth/sign-in/email`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: 'x@example.org', password: testPassword }),
    }),
    { address: '192.0.2.99' },
  )
  assert.ok(answer.status >= 500)
  assert.doesNotMatch(await answer.text(), /hidden|127\.0\.0\.1|ECONN/)
})

test('a link signs its user in once, after a click, and from no foreign page', async () => {
  const { userId } = await newPerson(platform)
  const link = await platform.accounts.createSignInLink(userId as never)
  const code = new URL(link).searchParams.get('code')!
  const browser = new TestBrowser(platform.baseUrl)
  const page = await browser.send('GET', link)
  assert.match(await page.text(), /<form method="post"/)
  assert.equal(await sessionOf(browser), null, 'looking at a link is not using it')
  const use = (headers: Record<string, string> = {}) =>
    browser.send('POST', '/api/v1/auth/sign-in-link', new URLSearchParams({ code }), headers)
  assert.equal((await use({ origin: 'https://evil.example' })).status, 403)
  const used = await use()
  assert.equal(used.status, 303)
  assert.equal(used.headers.get('location'), '/')
  assert.equal((await sessionOf(browser))?.userId, userId)
  assert.equal((await use()).status, 400, 'once')
  const stored = await platform.admin.query('SELECT identifier, value FROM verifications')
  assert.doesNotMatch(JSON.stringify(stored.rows), new RegExp(code))

  const old = await platform.accounts.createSignInLink(userId as never)
  await platform.admin.query(`UPDATE verifications SET expires_at = now() - interval '1 second'`)
  const late = new URLSearchParams({ code: new URL(old).searchParams.get('code')! })
  assert.equal((await browser.send('POST', '/api/v1/auth/sign-in-link', late)).status, 400)
  await platform.admin.query('UPDATE users SET is_active = false WHERE id = $1', [userId])
  await assert.rejects(platform.accounts.createSignInLink(userId as never), { code: 'CF12306' })
})

test('sign-ins and new passwords are in the audit log of their user, refused ones are not taken for done', async () => {
  const { browser, userId } = await newPerson(platform)
  await browser.post('/change-password', { currentPassword: 'wrong wrong', newPassword: 'brand new words' })
  const actions = async () => {
    const { rows } = await platform.admin.query(
      'SELECT action, outcome FROM audit_log WHERE user_id = $1 ORDER BY id',
      [userId],
    )
    return rows.map((row) => `${row.action} ${row.outcome}`)
  }
  assert.deepEqual(await actions(), ['session.create done'])
  await browser.post('/change-password', { currentPassword: testPassword, newPassword: 'brand new words' })
  assert.deepEqual(await actions(), ['session.create done', 'session.create done', 'password.change done'])
})
