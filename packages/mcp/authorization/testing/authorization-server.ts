// A real authorization server on the loopback interface, small but strict (RFC 6749, 7636, 9700): for tests. It consents to everything by itself.
import { createHash, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface TestAuthorizationServer {
  readonly url: string
  readonly host: string
  readonly clientId: string
  readonly clientSecret: string
  /** What a test may change under way. */
  readonly behaviour: Behaviour
  /** Requests that the token endpoint has seen, by grant. */
  readonly seen: { code: number; refresh: number }
  /** Bearer tokens shown to the resource at `/me`, in order. */
  readonly shown: string[]
  /** Makes an access token worth nothing, as if its end had come. */
  revokeAccess(token: string): void
  /** Ends everything that was granted: refresh tokens too. */
  revokeAll(): void
  close(): Promise<void>
}

export interface Behaviour {
  /** Seconds that access tokens last. */
  expiresIn: number
  /** `away`: the token endpoint answers 503. `hanging`: it answers after `delayMs`. */
  token: 'right' | 'away'
  delayMs: number
  /** Renewals are answered when it resolves. */
  holdRefresh: Promise<void> | null
  /** The consent page refuses. */
  refuses: boolean
  /** Sent as `iss` in the authorization response; null: none is. */
  issuer: string | null
  /** Whether each renewal gives another refresh token and ends the one before. */
  rotates: boolean
}

interface Grant {
  readonly user: string
  isOver: boolean
}

/** Starts one that knows a client whose redirect URIs are those that `isRegistered` says. Whoever goes to the consent page is `user` of its query, or `somebody`. */
export async function startAuthorizationServer(
  isRegistered: (redirectUri: string) => boolean,
): Promise<TestAuthorizationServer> {
  const clientId = 'crossfade-test'
  const clientSecret = 'a secret: with / special + characters'
  const behaviour: Behaviour = {
    expiresIn: 3600,
    token: 'right',
    delayMs: 0,
    holdRefresh: null,
    refuses: false,
    issuer: null,
    rotates: true,
  }
  const seen = { code: 0, refresh: 0 }
  const shown: string[] = []
  const codes = new Map<string, { grant: Grant; challenge: string; redirectUri: string }>()
  const refreshTokens = new Map<string, { grant: Grant; isUsed: boolean }>()
  const accessTokens = new Map<string, { grant: Grant; endsAtMs: number }>()

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error))
    })
  })

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, 'http://authorization')
    if (url.pathname === '/authorize') return authorize(url, response)
    if (url.pathname === '/token' && request.method === 'POST') {
      return token(request, new URLSearchParams(await bodyOf(request)), response)
    }
    if (url.pathname === '/me') return me(request, response)
    response.writeHead(404).end()
  }

  function authorize({ searchParams: asked }: URL, response: ServerResponse): void {
    const redirectUri = asked.get('redirect_uri') ?? ''
    if (asked.get('client_id') !== clientId || !isRegistered(redirectUri)) {
      response.writeHead(400).end('unknown client or redirect URI')
      return
    }
    const back = new URL(redirectUri)
    back.searchParams.set('state', asked.get('state') ?? '')
    if (behaviour.issuer !== null) back.searchParams.set('iss', behaviour.issuer)
    const challenge = asked.get('code_challenge')
    if (behaviour.refuses) back.searchParams.set('error', 'access_denied')
    else if (challenge === null || asked.get('code_challenge_method') !== 'S256') {
      back.searchParams.set('error', 'invalid_request')
    } else {
      const code = secret()
      codes.set(code, { grant: { user: asked.get('user') ?? 'somebody', isOver: false }, challenge, redirectUri })
      back.searchParams.set('code', code)
    }
    response.writeHead(302, { location: back.href }).end()
  }

  async function token(request: IncomingMessage, form: URLSearchParams, response: ServerResponse): Promise<void> {
    const grantType = form.get('grant_type')
    if (grantType === 'authorization_code') seen.code += 1
    if (grantType === 'refresh_token') seen.refresh += 1
    if (behaviour.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, behaviour.delayMs))
    if (grantType === 'refresh_token') await behaviour.holdRefresh
    if (behaviour.token === 'away') return answer(response, 503, { error: 'temporarily_unavailable' })
    if (!isOurClient(request, form)) return answer(response, 401, { error: 'invalid_client' })
    if (grantType === 'authorization_code') {
      const known = codes.get(form.get('code') ?? '')
      codes.delete(form.get('code') ?? '')
      const challenge = createHash('sha256')
        .update(form.get('code_verifier') ?? '')
        .digest('base64url')
      if (!known || known.challenge !== challenge || known.redirectUri !== form.get('redirect_uri')) {
        return answer(response, 400, { error: 'invalid_grant' })
      }
      return answer(response, 200, issue(known.grant, secret()))
    }
    const shownToken = form.get('refresh_token') ?? ''
    const known = refreshTokens.get(shownToken)
    if (!known || known.grant.isOver || known.isUsed) {
      // A refresh token that comes twice was stolen, or two workers renewed at once: all of the grant ends.
      if (known) known.grant.isOver = true
      return answer(response, 400, { error: 'invalid_grant' })
    }
    if (behaviour.rotates) known.isUsed = true
    return answer(response, 200, issue(known.grant, behaviour.rotates ? secret() : null))
  }

  function issue(grant: Grant, refreshToken: string | null): Record<string, unknown> {
    const accessToken = `access-${grant.user}-${secret()}`
    accessTokens.set(accessToken, { grant, endsAtMs: Date.now() + behaviour.expiresIn * 1000 })
    if (refreshToken !== null) refreshTokens.set(refreshToken, { grant, isUsed: false })
    return {
      access_token: accessToken,
      token_type: 'Bearer',
      expires_in: behaviour.expiresIn,
      ...(refreshToken !== null && { refresh_token: refreshToken }),
    }
  }

  function me(request: IncomingMessage, response: ServerResponse): void {
    const presented = request.headers.authorization?.replace(/^Bearer /, '') ?? ''
    shown.push(presented)
    const known = accessTokens.get(presented)
    if (!known || known.grant.isOver || known.endsAtMs < Date.now())
      return answer(response, 401, { error: 'bad token' })
    answer(response, 200, { login: known.grant.user })
  }

  function isOurClient(request: IncomingMessage, form: URLSearchParams): boolean {
    const basic = /^Basic (.+)$/.exec(request.headers.authorization ?? '')?.[1]
    if (basic === undefined) return form.get('client_id') === clientId && form.get('client_secret') === clientSecret
    const [id = '', key = ''] = Buffer.from(basic, 'base64').toString('utf8').split(':')
    const decoded = (text: string) => decodeURIComponent(text.replaceAll('+', ' '))
    return decoded(id) === clientId && decoded(key) === clientSecret
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url: `http://${host}`,
    host,
    clientId,
    clientSecret,
    behaviour,
    seen,
    shown,
    revokeAccess: (accessToken) => void accessTokens.delete(accessToken),
    revokeAll() {
      for (const { grant } of [...refreshTokens.values(), ...accessTokens.values()]) grant.isOver = true
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function secret(): string {
  return randomBytes(16).toString('base64url')
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const piece of request) text += piece
  return text
}
