// For tests: the accounts of a platform on a real PostgreSQL, behind a real socket, with people and instances.
import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { freshDatabase, sharedTestCluster } from '@crossfade/embedded/testing.ts'
import { openPool } from '@crossfade/mcp-database/pool.ts'
import { preparePlatform, type RoleUrls } from '@crossfade/mcp-database/roles.ts'
import type pg from 'pg'
import { type Accounts, createAccounts } from './accounts.ts'
import type { AccountsOptions } from './accounts-options.ts'

export const testPassword = 'correct horse battery'

export interface TestAccounts {
  readonly accounts: Accounts
  readonly baseUrl: string
  readonly urls: RoleUrls
  /** The superuser's, for setting up and looking. */
  readonly admin: pg.Pool
  /** Another `Accounts` on the same database and address. */
  open(options: Partial<AccountsOptions>): Accounts
  /** Answers further paths of the same origin; gives undefined for what it doesn't know. */
  serve(answer: (request: Request) => Promise<Response | undefined>): void
  close(): Promise<void>
}

/** Starts everything on an empty database. */
export async function startTestAccounts(options: Partial<AccountsOptions> = {}): Promise<TestAccounts> {
  const database = await freshDatabase(await sharedTestCluster(18), 'accounts')
  const urls = await preparePlatform(database.url)
  const admin = openPool(database.url, { applicationName: 'test', connectionsMax: 3 })
  let accounts: Accounts | undefined
  const others: Accounts[] = []
  let further: (request: Request) => Promise<Response | undefined> = async () => undefined
  const server = createServer((incoming, outgoing) => {
    const request = toRequest(incoming, baseUrl)
    const address = String(incoming.headers['x-test-address'] ?? '192.0.2.1')
    further(request.clone() as Request)
      .then((answer) => answer ?? accounts!.handle(request, { address }))
      .then((answer) => send(answer, outgoing))
      .catch((error: unknown) => outgoing.destroy(error as Error))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const open = (more: Partial<AccountsOptions>) => {
    const opened = createAccounts({
      databaseUrl: urls.accounts,
      baseUrl,
      secret: 'a secret of the test, long enough',
      ...options,
      ...more,
    })
    others.push(opened)
    return opened
  }
  accounts = open({})
  return {
    accounts,
    baseUrl,
    urls,
    admin,
    open,
    serve: (answer) => {
      further = answer
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      for (const other of others) await other.close()
      await admin.end()
      await database.drop()
    },
  }
}

function toRequest(incoming: IncomingMessage, baseUrl: string): Request {
  const headers = new Headers()
  for (let at = 0; at < incoming.rawHeaders.length; at += 2) {
    headers.append(incoming.rawHeaders[at]!, incoming.rawHeaders[at + 1]!)
  }
  const bodiless = incoming.method === 'GET' || incoming.method === 'HEAD'
  return new Request(new URL(incoming.url ?? '/', baseUrl), {
    method: incoming.method ?? 'GET',
    headers,
    ...(!bodiless && { body: Readable.toWeb(incoming) as ReadableStream, duplex: 'half' as const }),
  } as RequestInit)
}

async function send(answer: Response, outgoing: ServerResponse): Promise<void> {
  const headers: Record<string, string | string[]> = Object.fromEntries(answer.headers)
  const cookies = answer.headers.getSetCookie()
  if (cookies.length > 0) headers['set-cookie'] = cookies
  outgoing.writeHead(answer.status, headers)
  outgoing.end(Buffer.from(await answer.arrayBuffer()))
}

/** A browser of one person: keeps cookies, tells its origin, follows redirects only when asked to. */
export class TestBrowser {
  readonly cookies = new Map<string, string>()
  readonly #baseUrl: string
  readonly #address: string

  constructor(baseUrl: string) {
    this.#baseUrl = baseUrl
    // An address of its own (RFC 5737 and 2544 are for tests), so that attempts are counted apart.
    this.#address = `198.18.${randomBytes(1)[0]}.${randomBytes(1)[0]}`
  }

  get cookie(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  async send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
    const form = body instanceof URLSearchParams
    const answer = await fetch(new URL(path, this.#baseUrl), {
      method,
      redirect: 'manual',
      headers: {
        'x-test-address': this.#address,
        ...(this.cookies.size > 0 && { cookie: this.cookie }),
        ...(method !== 'GET' && { origin: this.#baseUrl }),
        ...(body !== undefined && !form && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: form ? body : JSON.stringify(body) }),
    })
    for (const line of answer.headers.getSetCookie()) {
      const [pair = ''] = line.split(';')
      const name = pair.slice(0, pair.indexOf('='))
      const value = pair.slice(pair.indexOf('=') + 1)
      if (/max-age=0/i.test(line)) this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
    return answer
  }

  post(path: string, body: unknown = {}, headers: Record<string, string> = {}): Promise<Response> {
    return this.send('POST', `/api/v1/auth${path}`, body, headers)
  }

  get(path: string): Promise<Response> {
    return this.send('GET', `/api/v1/auth${path}`)
  }

  signIn(email: string, password = testPassword): Promise<Response> {
    return this.post('/sign-in/email', { email, password })
  }
}

let people = 0

/** A person who has signed up and signed in, with a browser. */
export async function newPerson(test: TestAccounts): Promise<{ browser: TestBrowser; userId: string; email: string }> {
  people += 1
  const email = `person-${people}@example.org`
  const browser = new TestBrowser(test.baseUrl)
  const signedUp = await browser.post('/sign-up/email', { email, password: testPassword, name: `Person ${people}` })
  if (!signedUp.ok) throw new Error(`sign-up: ${signedUp.status} ${await signedUp.text()}`)
  const signedIn = await browser.signIn(email)
  if (!signedIn.ok) throw new Error(`sign-in: ${signedIn.status} ${await signedIn.text()}`)
  const session = await test.accounts.sessionOf(new Headers({ cookie: browser.cookie }))
  return { browser, userId: session!.userId, email }
}

/** An instance of a user as a row, and its URL. What it holds is no sealed key. */
export async function newInstance(test: TestAccounts, userId: string, serviceType = 'github'): Promise<string> {
  await test.admin.query(
    `INSERT INTO service_registry (service_type, name, display_name, port)
     SELECT $1::text, $1::text, $1::text, 49152 + count(*) FROM service_registry ON CONFLICT (service_type) DO NOTHING`,
    [serviceType],
  )
  const instanceId = `git_user_${userId.slice(0, 8)}_${randomBytes(3).toString('hex')}`
  await test.admin.query(
    `INSERT INTO user_service_instances (instance_id, user_id, service_type, encrypted_api_key) VALUES ($1, $2, $3, 'x')`,
    [instanceId, userId, serviceType],
  )
  return `${test.baseUrl}/${instanceId}/${serviceType}/`
}

/**
 * Follows an authorization URL as a person's browser does, answering the consent page when it comes. Gives where the
 * browser is sent in the end: the client's redirect URI, the sign-in page, or the page that told of an error (null).
 */
export async function followAuthorization(
  browser: TestBrowser,
  url: string | URL,
  answer: 'allow' | 'deny' = 'allow',
): Promise<{ location: URL | null; consentPage: string | null; status: number }> {
  let response = await browser.send('GET', String(url))
  let consentPage: string | null = null
  for (let redirects = 0; redirects < 5; redirects++) {
    const location = response.headers.get('location')
    if (location === null) {
      const html = await response.text()
      const query = /name="query" value="([^"]*)"/.exec(html)?.[1]
      if (query === undefined || consentPage !== null)
        return { location: null, consentPage: html, status: response.status }
      consentPage = html
      response = await browser.send(
        'POST',
        '/api/v1/auth/oauth2/decide',
        new URLSearchParams({ query: unescapeHtml(query), answer }),
      )
      continue
    }
    const next = new URL(location, String(url))
    const ours = next.pathname.startsWith('/api/v1/auth/')
    if (!ours) return { location: next, consentPage, status: response.status }
    response = await browser.send('GET', next.href)
  }
  throw new Error('too many redirects')
}

function unescapeHtml(text: string): string {
  return text.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)))
}
