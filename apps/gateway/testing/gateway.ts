// For tests: the whole API on a real PostgreSQL, behind a real socket, with real accounts and real upstreams on the loopback interface.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAccounts } from '@crossfade/accounts/accounts.ts'
import { TestBrowser, testPassword } from '@crossfade/accounts/testing.ts'
import type { ServiceConfig } from '@crossfade/catalog/service-config.ts'
import { createTokenTransport } from '@crossfade/mcp/authorization/authorization-server.ts'
import { configuredClients } from '@crossfade/mcp/authorization/upstream-clients.ts'
import { openTestPlatform, type TestPlatform, type TestWorker } from '@crossfade/mcp/instances/testing/platform.ts'
import { verifyWithUpstream } from '@crossfade/mcp/instances/verify-with-upstream.ts'
import { createToolCaller } from '@crossfade/mcp/upstream/tool-caller.ts'
import type { UsageRecord } from '@crossfade/mcp/usage/usage.ts'
import { createApi } from '../api.ts'
import type { ApiOptions, GatewayApi } from '../api-parts.ts'

export interface TestGateway {
  readonly baseUrl: string
  readonly platform: TestPlatform
  readonly api: GatewayApi
  /** The worker whose directory the API tries tools with. */
  readonly worker: TestWorker
  readonly recorded: UsageRecord[]
  /** A browser of a new person who has signed up. */
  signUp(name: string): Promise<Person>
  close(): Promise<void>
}

export interface Person {
  readonly email: string
  readonly browser: TestBrowser
  /** A request as the console makes it; the body parsed. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  /** Whatever came: tests look into it. */
  readonly body: ReturnType<typeof JSON.parse>
}

/** Starts it. `privateHosts` are the upstreams' `host:port`. */
export async function startTestGateway(
  services: readonly ServiceConfig[],
  privateHosts: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  changes: Partial<ApiOptions> = {},
): Promise<TestGateway> {
  const caller = createToolCaller({ allowedPrivateHosts: privateHosts })
  const platform = await openTestPlatform(services, verifyWithUpstream(caller.client))
  const server = createServer((request, response) => api.routing(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const worker = await platform.worker()
  const accounts = createAccounts({
    databaseUrl: platform.urls.accounts,
    baseUrl,
    secret: 'a secret of the test, long enough',
    firstUserIsAdmin: true,
  })
  const transport = createTokenTransport({ allowedPrivateHosts: privateHosts })
  const recorded: UsageRecord[] = []
  const api = await createApi({
    ...platform.stores,
    baseUrl,
    accounts,
    clients: configuredClients(environment, null),
    transport,
    directory: worker.directory,
    caller,
    limits: { admit: () => ({ admitted: true }), ended: () => {} },
    usage: { record: (record) => void recorded.push(record) },
    imports: null,
    metrics: null,
    signUp: true,
    version: '0.0.0',
    logger: false,
    ...changes,
  })
  await api.ready()
  let people = 0
  return {
    baseUrl,
    platform,
    api,
    worker,
    recorded,
    async signUp(name) {
      people += 1
      const email = `${name}${people}@example.org`
      const browser = new TestBrowser(baseUrl)
      const person: Person = { email, browser, call: (...request) => call(browser, ...request) }
      // Attempts are counted by address, and all of a test's people share one.
      await platform.admin.query('DELETE FROM sign_in_rates')
      const signedUp = await person.call('POST', '/auth/sign-up/email', { name, email, password: testPassword })
      if (signedUp.status !== 200) throw new Error(`sign-up: ${signedUp.status} ${JSON.stringify(signedUp.body)}`)
      // Signing up tells nothing of whether the address is known, and so signs nobody in.
      await person.call('POST', '/auth/sign-in/email', { email, password: testPassword })
      return person
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await api.close()
      await accounts.close()
      await platform.close()
      await caller.close()
      await transport.close()
    },
  }
}

async function call(
  browser: TestBrowser,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const answer = await browser.send(method, path.startsWith('/api/') ? path : `/api/v1${path}`, body, headers)
  const text = await answer.text()
  const isJson = answer.headers.get('content-type')?.includes('json') ?? false
  return { status: answer.status, headers: answer.headers, body: isJson && text !== '' ? JSON.parse(text) : text }
}
