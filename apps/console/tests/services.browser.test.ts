// The console of the services as a new user meets it: a real server, a real upstream that checks keys, a real Chromium.
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { type AcmeUpstream, startAcme } from '@crossfade/gateway-app/testing/acme.ts'
import { callOrder, until } from '@crossfade/gateway-app/testing/requests.ts'
import { type ServerProcess, startServerProcess } from '@crossfade/gateway-app/testing/server-process.ts'
import { ensureConsoleBuilt } from '@crossfade/tools/build/console.ts'
import type { Page } from 'playwright-core'
import { newPerson, overflow, skip, useBrowser } from './testing.ts'

const password = 'correct horse battery'
const widths = [
  { name: 'wide', width: 1280, height: 900, theme: 'light' },
  { name: 'narrow', width: 390, height: 844, theme: 'dark' },
] as const
/** What Chromium says of every answer that is a refusal; refusals are part of the way. */
const refusals = /Failed to load resource: the server responded with a status of (401|404|422)/

const email = 'settled@example.org'

suite('the services, to a new user', { skip }, () => {
  useBrowser()
  let acme: AcmeUpstream
  let server: ServerProcess
  const troubles: string[] = []
  before(async () => {
    if (skip) return
    ensureConsoleBuilt()
    acme = await startAcme()
    acme.keys.set('right-key', 'alice')
    acme.keys.set('second-key', 'alice')
    server = await startServerProcess({
      args: ['--allow-upstream', acme.host, '--no-health-checks'],
      services: acme.services,
    })
  })
  after(async () => {
    await server?.stop()
    await acme?.stop()
  })

  async function open(path: string, { width, height, theme }: Omit<(typeof widths)[number], 'name'>): Promise<Page> {
    const context = await newPerson({
      viewport: { width, height },
      colorScheme: theme,
      permissions: ['clipboard-read', 'clipboard-write'],
    })
    const page = await context.newPage()
    page.on('pageerror', (error) => troubles.push(error.message))
    page.on('console', (message) => {
      if (message.type() === 'error' && !refusals.test(message.text())) troubles.push(message.text())
    })
    await page.goto(`${server.origin}${path}`)
    return page
  }

  async function fits(page: Page): Promise<void> {
    assert.equal(await overflow(page), 0, `${page.url()} is wider than its window`)
  }

  for (const at of widths) {
    test(`SI-12 sign up, find a service, wrong key, right key, copy, try a tool, usage, replace, revoke: ${at.name}, ${at.theme}`, async () => {
      const page = await open('/services?search=acme', at)
      const button = (name: string | RegExp) => page.getByRole('button', { name })

      await page.waitForURL(/\/sign-in\?return=/)
      await page.getByRole('link', { name: 'Make an account' }).click()
      await page.getByLabel('Name').fill('Ann')
      await page.getByLabel('E-mail address').fill(`ann-${at.name}@example.org`)
      await page.getByLabel('Password', { exact: true }).fill(password)
      await fits(page)
      await button('Make the account').click()

      // Back to where one was going.
      await page.waitForURL(/\/services\?search=acme$/)
      await fits(page)
      await page.getByRole('searchbox', { name: 'Search services' }).fill('acme ord')
      await page.keyboard.press('ArrowDown')
      await page.getByRole('link', { name: /Acme Orders/ }).waitFor()
      await page.keyboard.press('ArrowDown')
      await page.getByRole('link', { name: /Acme Orders/ }).click()

      await page.getByLabel('Acme key', { exact: true }).fill('wrong-key')
      await button('Connect').click()
      await page.getByText('CF12010').waitFor()
      await page.getByText('Acme Orders refuses this.').waitFor()
      const field = page.getByLabel('Acme key', { exact: true })
      assert.equal(await field.evaluate((input) => input === document.activeElement), true)
      assert.equal(await field.getAttribute('type'), 'password')
      await fits(page)
      await field.fill('right-key')
      await page.keyboard.press('Enter')

      const panel = page.getByRole('region', { name: 'Use Acme Orders in your client' })
      await panel.waitFor()
      await fits(page)
      const copied = async (what: string) => {
        await panel.getByRole('button', { name: `Copy ${what}`, exact: true }).click()
        await panel.getByText(`${what} copied`).waitFor()
        return page.evaluate(() => navigator.clipboard.readText())
      }
      const url = await copied('address')
      const token = await copied('token')
      assert.match(url, /\/acme\/$/)
      assert.equal(await callOrder(url, token), 200)
      for (const client of ['Claude Code', 'Claude Desktop', 'Cursor', 'VS Code', 'curl']) {
        await panel.getByRole('tab', { name: client }).click()
        assert.ok((await copied(`snippet for ${client}`)).includes(url))
      }
      assert.ok((await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }))).indexOf('cfi_') < 0)
      await button(/hide the token/).click()
      assert.ok(!(await page.content()).includes(token))

      await page.getByRole('link', { name: 'Try a tool' }).click()
      await button(/get_order/).waitFor()
      await button('Call the tool').click()
      await page.getByText('This is needed.').waitFor()
      await page.getByLabel('id', { exact: true }).fill('A-77')
      await button('Call the tool').click()
      await page.getByText('it worked').waitFor()
      await page.locator('.tool-text', { hasText: '"account": "alice"' }).waitFor()
      await fits(page)

      for (const path of [
        '/instances',
        '/usage',
        '/health',
        '/audit',
        '/account',
        '/services/acme/tools',
        '/services',
      ]) {
        await page.goto(`${server.origin}${path}`)
        await page.getByRole('heading').first().waitFor()
        await page.waitForFunction(() => document.querySelector('.loading') === null)
        assert.equal(await page.getByRole('alert').count(), 0, path)
        await fits(page)
      }

      // Usage is written in batches; both calls come, and no third.
      const requests = page.locator('.figure', { hasText: 'Requests' }).locator('.figure-value')
      await until(async () => {
        await page.goto(`${server.origin}/services/acme/usage`)
        await requests.or(page.getByText('No call in the last')).waitFor()
        return (await requests.isVisible()) && (await requests.textContent()) === '2'
      })
      await fits(page)

      await page.goto(`${server.origin}/services/acme`)
      await button('Replace key').click()
      await page.getByLabel('Acme key', { exact: true }).fill('second-key')
      await button('Replace the key').click()
      await page.getByText('The key is replaced.').waitFor()
      assert.equal(await callOrder(url, token), 200)
      assert.equal(acme.requests.at(-1)!.key, 'second-key')

      await button('Revoke key').click()
      await page.getByRole('dialog').getByText('can’t be undone').waitFor()
      await fits(page)
      await page.getByRole('dialog').getByRole('button', { name: 'Revoke key' }).click()
      await page.getByRole('heading', { name: 'Connect Acme Orders' }).waitFor()
      assert.equal(await callOrder(url, token), 401)
      assert.deepEqual(troubles, [])
      await page.context().close()
    })
  }

  test('SI-06 SI-07 tools are chosen, reworded and excluded, an instance is paused, tokens are made and revoked', async () => {
    const page = await open('/', widths[0])
    const button = (name: string | RegExp) => page.getByRole('button', { name })
    const headers = { origin: server.origin }
    const post = (path: string, data: unknown) => page.request.post(`${server.origin}/api/v1${path}`, { headers, data })
    await post('/auth/sign-up/email', { name: 'Sam', email, password })
    await post('/auth/sign-in/email', { email, password })
    await post('/services/acme/authenticate', { apiKey: 'right-key' })
    const tools = async () => {
      const answer = await page.request.get(`${server.origin}/api/v1/services/acme/tools`)
      return ((await answer.json()) as { tools: Record<string, unknown>[] }).tools
    }

    await page.goto(`${server.origin}/services/acme/tools`)
    await button('Reword get_order').click()
    await page.getByLabel('Description for clients').fill('Looks up an order by its number.')
    await button('Exclude cancel_order').click()
    await button('Save').click()
    await page.getByText('Clients see the new selection.').waitFor()
    assert.deepEqual(
      (await tools()).map(({ name, description, listed, excluded }) => ({ name, description, listed, excluded })),
      [
        { name: 'get_order', description: 'Looks up an order by its number.', listed: true, excluded: false },
        { name: 'cancel_order', description: 'Cancels one order.', listed: false, excluded: true },
      ],
    )

    await page.getByRole('link', { name: 'Connection' }).click()
    await button('New token').click()
    await page.getByLabel('Name').fill('kitchen')
    await page.getByLabel(/Put the secret into the address/).check()
    await page.getByText('Addresses end up in histories').waitFor()
    await button('Make the secret address').click()
    const panel = page.getByRole('region', { name: 'Token kitchen' })
    await panel.getByRole('button', { name: 'Copy address' }).click()
    const secretUrl = await page.evaluate(() => navigator.clipboard.readText())
    assert.equal(await callBySecret(secretUrl), 200)
    await button(/hide the address/).click()

    await button('Pause').click()
    await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click()
    await page.getByText('Paused by you').waitFor()
    assert.notEqual(await callBySecret(secretUrl), 200)
    await button('Resume').click()
    await page.getByText('Paused by you').waitFor({ state: 'detached' })
    assert.equal(await callBySecret(secretUrl), 200)
    await button('Revoke token kitchen').click()
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click()
    await page.getByText('opens nothing any more').waitFor()
    assert.equal(await callBySecret(secretUrl), 401)

    await page.goto(`${server.origin}/account`)
    await button('New API token').click()
    await page.getByLabel('Name').fill('script')
    await page.getByLabel('May read, not change anything').check()
    await button('Make the API token').click()
    await button('Copy API token').click()
    const authorization = `Bearer ${await page.evaluate(() => navigator.clipboard.readText())}`
    assert.equal((await server.api('GET', '/user/instances', undefined, { authorization })).status, 200)
    assert.equal((await server.api('DELETE', '/services/acme/instance', undefined, { authorization })).status, 403)
    await fits(page)
    assert.deepEqual(troubles, [])
    await page.context().close()
  })

  test('SI-08 an application that asks for access leads through the sign-in to consent, and an address of elsewhere to nowhere', async () => {
    const page = await open('/', widths[1])
    const signIn = async () => {
      await page.getByLabel('E-mail address').fill(email)
      await page.getByLabel('Password', { exact: true }).fill(password)
      await page.getByRole('button', { name: 'Sign in' }).click()
    }
    await page.goto(`${server.origin}/sign-in?return=//127.0.0.1:9/stolen`)
    await signIn()
    await page.waitForURL(`${server.origin}/services`)
    const { instances } = (await (await page.request.get(`${server.origin}/api/v1/user/instances`)).json()) as {
      instances: { url: string }[]
    }
    await page.goto(`${server.origin}/account`)
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.waitForURL(/\/sign-in/)

    const redirect = 'http://127.0.0.1:9/callback'
    const registered = await server.api<{ client_id: string }>(
      'POST',
      '/auth/oauth2/register',
      { client_name: 'Notes', redirect_uris: [redirect], token_endpoint_auth_method: 'none' },
      { origin: server.origin },
    )
    const asked = new URLSearchParams({
      response_type: 'code',
      client_id: registered.body.client_id,
      redirect_uri: redirect,
      state: 'a state',
      code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
      code_challenge_method: 'S256',
      resource: instances[0]!.url,
    })
    await page.goto(`${server.origin}/api/v1/auth/oauth2/authorize?${asked}`)
    await page.getByText('An application wants to connect').waitFor()
    await signIn()
    await page.getByRole('heading', { name: /Notes/ }).waitFor()
    await page.getByRole('button', { name: 'Allow', exact: true }).waitFor()
    assert.deepEqual(troubles, [])
    await page.context().close()
  })
})

/** Calls a tool by an address that has its secret in it; gives the HTTP status. */
async function callBySecret(url: string): Promise<number> {
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
  const params = { name: 'get_order', arguments: { id: 'B-2' } }
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params })
  return (await fetch(url, { method: 'POST', headers, body })).status
}
