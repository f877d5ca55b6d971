// A real authorization server for tests, as far as those go who take its tokens: metadata, keys, and signatures by node:crypto.
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const tokenSeconds = 600

export interface TokenIssuer {
  /** As it stands in `iss`. */
  readonly issuer: string
  /** Paths that it was asked for. */
  readonly asked: readonly string[]
  /** A token with these claims, good for ten minutes unless they say otherwise; by `key` where that is not its newest. */
  token(claims: Readonly<Record<string, unknown>>, key?: IssuerKey): string
  /** Names another address of its keys from now on. */
  pointTo(keysUrl: string): void
  /** Makes a new key and publishes it beside those before it. */
  rotate(): IssuerKey
  stop(): Promise<void>
}

export interface IssuerKey {
  readonly kid: string
  readonly privateKey: KeyObject
}

/** Starts it on a loopback port. */
export async function startTokenIssuer(): Promise<TokenIssuer> {
  const published: Record<string, unknown>[] = []
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url!)
    const documents: Record<string, unknown> = {
      '/tenant/.well-known/openid-configuration': { issuer, jwks_uri: keysUrl },
      '/tenant/keys': { keys: published },
    }
    const document = documents[request.url!]
    response.writeHead(document === undefined ? 404 : 200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(document ?? {}))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}/tenant`
  let keysUrl = `${issuer}/keys`
  const rotate = (): IssuerKey => {
    const key = newKey(`key ${published.length + 1}`)
    published.push({ ...key.publicJwk, kid: key.kid, alg: 'ES256', use: 'sig' })
    current = key
    return key
  }
  let current: IssuerKey
  rotate()
  return {
    issuer,
    asked,
    token: (claims, key = current) => signed({ iss: issuer, ...claims }, key),
    rotate,
    pointTo(url) {
      keysUrl = url
    },
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A key that nobody publishes, unless `rotate` does. */
export function newKey(kid: string): IssuerKey & { readonly publicJwk: object } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { kid, privateKey, publicJwk: publicKey.export({ format: 'jwk' }) }
}

function signed(claims: Readonly<Record<string, unknown>>, { kid, privateKey }: IssuerKey): string {
  const nowSeconds = Math.floor(Date.now() / 1000)
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const head = part({ alg: 'ES256', typ: 'at+jwt', kid })
  const text = `${head}.${part({ iat: nowSeconds, exp: nowSeconds + tokenSeconds, ...claims })}`
  const signature = sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' })
  return `${text}.${signature.toString('base64url')}`
}
