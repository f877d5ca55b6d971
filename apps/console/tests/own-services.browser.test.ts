// What a settled user does beside connecting: imports, remote servers that change, ways back from consent pages, applications, a new password.
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { type AcmeUpstream, startAcme } from '@crossfade/gateway-app/testing/acme.ts'
import { callOrder } from '@crossfade/gateway-app/testing/requests.ts'
import { type ServerProcess, startServerProcess } from '@crossfade/gateway-app/testing/server-process.ts'
import {
  startAuthorizationServer,
  type TestAuthorizationServer,
} from '@crossfade/mcp/authorization/testing/authorization-server.ts'
import { type RemoteServer, startRemoteServer } from '@crossfade/mcp/remote/testing/remote-server.ts'
import type { Page } from 'playwright-core'
import { newPerson, overflow, skip, useBrowser } from './testing.ts'

const password = 'correct horse battery'
const wide = { width: 1280, height: 900 }
const narrow = { width: 390, height: 844 }
/** What Chromium says of every answer that is a refusal; refusals are part of the way. */
const refusals = /Failed to load resource: the server responded with a status of (400|401|404|409|422)/

suite('what a settled user does beside connecting', { skip }, () => {
  useBrowser()
  let acme: AcmeUpstream
  let remote: RemoteServer
  let consent: TestAuthorizationServer
  let server: ServerProcess
  const troubles: string[] = []
  before(async () => {
    if (skip) return
    acme = await startAcme()
    acme.keys.set('right-key', 'alice')
    remote = await startRemoteServer()
    remote.tools = [{ name: 'echo', description: 'Says it again.', inputSchema: { type: 'object' } }]
    consent = await startAuthorizationServer((uri) => uri.startsWith(server.origin))
    server = await startServerProcess({
      args: [
        ...['--allow-upstream', acme.host, '--allow-upstream', remote.host, '--allow-upstream', consent.host],
        '--no-health-checks',
      ],
      services: { ...acme.services, ...loginService(consent.url) },
      env: {
        CROSSFADE_MCP_OAUTH_LOGIN_CLIENT_ID: consent.clientId,
        CROSSFADE_MCP_OAUTH_LOGIN_CLIENT_SECRET: consent.clientSecret,
      },
    })
  })
  after(async () => {
    await server?.stop()
    await consent?.close()
    await remote?.close()
    await acme?.stop()
  })

  /** A page of somebody who has just signed in. */
  async function signedIn(name: string, viewport: typeof wide): Promise<Page> {
    const context = await newPerson({ viewport, permissions: ['clipboard-read', 'clipboard-write'] })
    const page = await context.newPage()
    page.on('pageerror', (error) => troubles.push(error.message))
    page.on('console', (message) => {
      if (message.type() === 'error' && !refusals.test(message.text())) troubles.push(message.text())
    })
    await signInAs(page, name)
    return page
  }

  async function signInAs(page: Page, name: string): Promise<void> {
    await post(page, '/auth/sign-up/email', { name, email: `${name}@example.org`, password })
    await post(page, '/auth/sign-in/email', { email: `${name}@example.org`, password })
  }

  async function post<Body = unknown>(page: Page, path: string, data: unknown): Promise<Body> {
    const answer = await page.request.post(`${server.origin}/api/v1${path}`, {
      headers: { origin: server.origin },
      data,
    })
    assert.ok(answer.ok(), `${path}: ${answer.status()}`)
    return (await answer.json().catch(() => null)) as Body
  }

  async function leave(page: Page): Promise<void> {
    assert.equal(await overflow(page), 0, `${page.url()} is wider than its window`)
    assert.deepEqual(troubles.splice(0), [])
    await page.context().close()
  }

  test('SI-01 SI-12 an API description is imported, its mistakes and clashes named with their lines, replaced, connected and removed: narrow', async () => {
    const page = await signedIn('ina', narrow)
    const button = (name: string | RegExp) => page.getByRole('button', { name })
    await page.goto(`${server.origin}/imports`)
    await page.getByText('Nothing is imported yet').waitFor()
    await page.getByLabel('Or paste it').fill('{\n "openapi": "3.1.0",\n oops }')
    await page.getByRole('button', { name: 'Import', exact: true }).click()
    await page.getByText(/line 3, column 2/).waitFor()
    assert.equal(await overflow(page), 0)

    const name = 'orders.yaml'
    const file = (text: string) => ({ name, mimeType: 'application/yaml', buffer: Buffer.from(text) })
    await page.locator('input[type=file]').setInputFiles(file(description(acme.origin)))
    await page.getByText(name).waitFor()
    await page.getByRole('button', { name: 'Import', exact: true }).click()
    const card = page.getByRole('region', { name: 'Own Orders' })
    await card.getByText('The id list stands twice').waitFor()
    await card.getByText('line 7').waitFor()
    await card.getByText('2 operations, 2 tools listed').waitFor()
    assert.equal(await overflow(page), 0)

    // The same title again: asked first, and under another name not at all.
    await button('Import a service').click()
    await page.locator('input[type=file]').setInputFiles(file(description(acme.origin, more)))
    await page.getByRole('button', { name: 'Import', exact: true }).click()
    await page.getByText('You have imported own-orders before').waitFor()
    await button('Replace it').click()
    await card.getByText('3 operations, 3 tools listed').waitFor()

    await card.getByRole('link', { name: 'Connect Own Orders' }).click()
    await button('Connect').click()
    await page.getByRole('heading', { name: 'Use Own Orders in your client' }).waitFor()
    await page.getByRole('link', { name: 'imports' }).click()
    await card.getByText('connected').waitFor()
    await button('Remove Own Orders').click()
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
    await page.getByText('Nothing is imported yet').waitFor()
    await leave(page)
  })

  test('SI-01 SI-12 a remote server that changes a tool: the change is shown line by line, and served once it is approved: wide', async () => {
    const page = await signedIn('remy', wide)
    const button = (name: string | RegExp) => page.getByRole('button', { name })
    await page.goto(`${server.origin}/imports`)
    await page.getByLabel('Or paste it').fill(
      JSON.stringify({
        name: 'org.example/echoes',
        title: 'Echoes',
        description: 'A remote server that says everything again.',
        version: '1.0.0',
        remotes: [{ type: 'streamable-http', url: remote.url }],
      }),
    )
    await page.getByRole('button', { name: 'Import', exact: true }).click()
    const card = page.getByRole('region', { name: 'Echoes', exact: true })
    await card.getByText('Connect Echoes first').waitFor()
    await post(page, '/services/echoes/authenticate', {})
    await page.reload()
    await button('Ask Echoes now').click()
    await card.getByText('served', { exact: true }).waitFor()

    remote.tools = [{ name: 'echo', description: 'Says it again, to others too.', inputSchema: { type: 'object' } }]
    await button('Ask Echoes now').click()
    await card.getByText('has changed').waitFor()
    await card.getByText('1 tool to look at').waitFor()
    assert.deepEqual(await card.locator('del, ins').allTextContents(), [
      '− Says it again.',
      '+ Says it again, to others too.',
    ])
    await button('Approve echo').click()
    await card.getByText('served', { exact: true }).waitFor()
    await button('Hold echo back').click()
    await card.getByText('held back').waitFor()
    await leave(page)
  })

  test('SI-09 SI-12 the way back from a consent page: refused, then allowed, with the first token shown once', async () => {
    const page = await signedIn('oda', wide)
    await page.goto(`${server.origin}/services/login`)
    consent.behaviour.refuses = true
    await page.getByRole('button', { name: 'Connect with Login' }).click()
    await page.getByText('CF12024').waitFor()
    await page.getByText('Begin again, and allow what it asks for.').waitFor()
    assert.equal(new URL(page.url()).search, '')
    consent.behaviour.refuses = false
    await page.getByRole('button', { name: 'Connect with Login' }).click()
    await page.getByRole('heading', { name: 'Use Login in your client' }).waitFor()
    assert.equal(new URL(page.url()).search, '')
    await page.getByRole('button', { name: 'I have it: hide the token' }).click()
    await page.getByText('somebody', { exact: true }).waitFor()

    // Somebody who comes back by the same address makes no further token.
    await page.goto(`${server.origin}/services/login?connected=login&token=new`)
    await page.getByText('default').waitFor()
    assert.equal(await page.getByRole('button', { name: /^Revoke token/ }).count(), 1)
    await leave(page)
  })

  test('SI-12 an image that a tool gives is drawn in the page', async () => {
    const page = await signedIn('ima', narrow)
    await post(page, '/services/acme/authenticate', { apiKey: 'right-key' })
    await page.goto(`${server.origin}/services/acme/try`)
    await page.getByRole('searchbox', { name: 'Search tools' }).fill('label')
    await page.getByRole('button', { name: /get_label/ }).click()
    await page.getByLabel('id').fill('A-1')
    await page.getByRole('button', { name: 'Call the tool' }).click()
    const image = page.getByRole('img', { name: 'Given by the tool' })
    await image.waitFor()
    assert.deepEqual(
      await image.evaluate(async (element: HTMLImageElement) => {
        await element.decode()
        return [element.naturalWidth, element.naturalHeight]
      }),
      [2, 2],
    )
    await leave(page)
  })

  test('SI-10 SI-12 an application that was let in is told by name, and is out at once; a new password ends every other session', async () => {
    const page = await signedIn('ada', narrow)
    const button = (name: string | RegExp) => page.getByRole('button', { name })
    const connected = await post<{ instance: { url: string } }>(page, '/services/acme/authenticate', {
      apiKey: 'right-key',
    })
    const { url } = connected.instance
    const redirect = `${server.origin}/sign-in`
    const { client_id: clientId } = await post<{ client_id: string }>(page, '/auth/oauth2/register', {
      client_name: 'Notes',
      redirect_uris: [redirect],
      token_endpoint_auth_method: 'none',
    })
    const asked = new URLSearchParams({
      response_type: 'code',
      client_id: clientId,
      redirect_uri: redirect,
      scope: 'mcp:read mcp:call',
      state: 'a state',
      // RFC 7636, appendix B.
      code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
      code_challenge_method: 'S256',
      resource: url,
    })
    await page.goto(`${server.origin}/api/v1/auth/oauth2/authorize?${asked}`)
    const [back] = await Promise.all([
      page.waitForRequest(/\/sign-in\?code=/),
      page.getByRole('button', { name: 'Allow', exact: true }).click(),
    ])
    const granted = await page.request.post(`${server.origin}/api/v1/auth/oauth2/token`, {
      form: {
        grant_type: 'authorization_code',
        client_id: clientId,
        code: new URL(back.url()).searchParams.get('code')!,
        redirect_uri: redirect,
        code_verifier: 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk',
        resource: url,
      },
    })
    const { access_token: token } = (await granted.json()) as { access_token: string }
    assert.equal(await callOrder(url, token), 200)

    await page.goto(`${server.origin}/account`)
    const row = page.getByRole('row', { name: /Notes/ })
    await row.getByRole('link', { name: 'Acme Orders' }).waitFor()
    await row.getByText(/just now|s ago/).waitFor()
    await row.getByText('call every tool').waitFor()
    assert.equal(await overflow(page), 0)
    await button('End the access of Notes').click()
    await page.getByRole('dialog').getByRole('button', { name: 'End access' }).click()
    await page.getByText('Notes has no access any more.').waitFor()
    assert.equal(await callOrder(url, token), 401)

    const elsewhere = await (await newPerson({ viewport: wide })).newPage()
    await post(elsewhere, '/auth/sign-in/email', { email: 'ada@example.org', password })
    await elsewhere.goto(`${server.origin}/account`)
    await elsewhere.getByRole('heading', { name: 'ada' }).waitFor()
    const next = 'another horse battery'
    await page.getByLabel('Current password', { exact: true }).fill('wrong password')
    await page.getByLabel('New password', { exact: true }).fill(next)
    await button('Change the password').click()
    await page.getByText('The current password is wrong.').waitFor()
    await page.getByLabel('Current password', { exact: true }).fill(password)
    await button('Change the password').click()
    await page.getByText('The password is changed; every other session is over.').waitFor()
    await elsewhere.getByRole('link', { name: 'instances' }).click()
    await elsewhere.waitForURL(/\/sign-in\?return=%2Finstances/)
    await elsewhere.getByLabel('E-mail address').fill('ada@example.org')
    await elsewhere.getByLabel('Password', { exact: true }).fill(next)
    await elsewhere.getByRole('button', { name: 'Sign in' }).click()
    await elsewhere.waitForURL(`${server.origin}/instances`)
    await elsewhere.context().close()
    await leave(page)
  })
})

const more = "  /me:\n    get: { operationId: me, responses: { '200': { description: ok } } }\n"

/** One id stands twice, on line 7. */
function description(origin: string, further = ''): string {
  return `openapi: 3.1.0
info: { title: Own Orders, version: '1', description: Orders of one's own shop. }
servers: [{ url: '${origin}' }]
paths:
  /orders:
    get: { operationId: list, responses: { '200': { description: ok } } }
    post: { operationId: list, responses: { '200': { description: ok } } }
${further}`
}

/** A service that is connected to by OAuth. */
function loginService(origin: string): Record<string, unknown> {
  const config = {
    serviceType: 'login',
    displayName: 'Login',
    category: 'development',
    description: 'Whoever signs in there is somebody.',
    docsUrl: 'https://login.example/docs',
    port: 65_102,
    baseUrl: origin,
    auth: {
      type: 'oauth2',
      authorizationUrl: `${origin}/authorize`,
      tokenUrl: `${origin}/token`,
      scopes: ['read'],
      clientAuthentication: 'basic',
      send: { in: 'header', name: 'Authorization', prefix: 'Bearer ' },
    },
    verification: { method: 'GET', path: '/me', validStatuses: [200], invalidStatuses: [401], account: '/login' },
    source: { kind: 'operations' },
    tools: ['me'],
  }
  const operations = [{ name: 'me', description: 'Who one is.', method: 'GET', path: '/me', readOnly: true }]
  return { 'login/config.json': config, 'login/operations.json': { operations } }
}
