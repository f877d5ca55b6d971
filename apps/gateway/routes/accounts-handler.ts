import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ApiOptions, GatewayApi } from '../api-parts.ts'

/** Gives the paths of accounts (sign-up, sign-in, the OAuth server) to whoever answers them, byte by byte. Has a scope of its own for its parser of bodies. */
export async function accountRoutesOf(api: GatewayApi, { accounts, baseUrl }: ApiOptions): Promise<void> {
  await api.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
    for (const path of accounts.paths) {
      scope.route({
        method: ['GET', 'POST'],
        url: path,
        config: { needs: 'nobody' },
        schema: { hide: true },
        handler: (request, reply) => answer(request, reply),
      })
    }
  })

  async function answer(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const given = await accounts.handle(webRequest(request, baseUrl), { address: request.ip })
    reply.status(given.status)
    for (const [name, value] of given.headers) if (name !== 'set-cookie') reply.header(name, value)
    const cookies = given.headers.getSetCookie()
    if (cookies.length > 0) reply.header('set-cookie', cookies)
    return reply.send(Buffer.from(await given.arrayBuffer()))
  }
}

function webRequest(request: FastifyRequest, baseUrl: string): Request {
  const headers = new Headers()
  const raw = request.raw.rawHeaders
  for (let at = 0; at + 1 < raw.length; at += 2) headers.append(raw[at]!, raw[at + 1]!)
  const body = request.body as Buffer | undefined
  return new Request(new URL(request.url, baseUrl), {
    method: request.method,
    headers,
    ...(request.method !== 'GET' && body !== undefined && { body: new Uint8Array(body) }),
  })
}
