// How an API takes its credential, from the security schemes of its description. What is guessed is told.
import { asArray, asObject, asText, type JsonObject } from '../json-value.ts'
import type { OpenApiDocument } from '../openapi/document.ts'
import type { Send, ServiceAuth } from '../service-config.ts'
import { type ImportFinding, needsLook } from './imported-service.ts'

const scopesMax = 50

export interface GuessedAuth {
  readonly auth: ServiceAuth
  readonly findings: readonly ImportFinding[]
}

interface Scheme {
  readonly name: string
  readonly scheme: JsonObject
}

/** The first security requirement that can be served decides; without one the first scheme. */
export function guessAuth(document: OpenApiDocument, service: string, title: string, baseUrl: string): GuessedAuth {
  const declared = asObject(asObject(document.root['components'])?.['securitySchemes']) ?? {}
  const schemes = Object.entries(declared).flatMap(([name, value]): Scheme[] => {
    const scheme = document.follow(value)
    return scheme ? [{ name, scheme }] : []
  })
  if (schemes.length === 0) {
    const reason = 'its description does not say how callers prove who they are, so no key is asked for'
    return { auth: { type: 'none' }, findings: [needsLook(service, 'auth', reason)] }
  }
  const required = requirements(document, schemes)
  const wanted = required.length > 0 ? required : schemes.map((scheme) => [scheme])
  for (const together of wanted) {
    const auth = authOf(together, title, baseUrl)
    if (auth) return { auth, findings: findingsOf(together, auth, service) }
  }
  const types = schemes.map(({ scheme }) => asText(scheme['type'])).join(', ')
  const reason = `its security schemes (${types}) are none that can be served`
  return {
    auth: { type: 'none' },
    findings: [needsLook(service, 'auth', reason, 'warn', '/components/securitySchemes')],
  }
}

/** Schemes that are needed together, for each alternative; those of the document, else of its first operation with any. */
function requirements(document: OpenApiDocument, schemes: readonly Scheme[]): Scheme[][] {
  const sources = [document.root['security'], ...operationSecurities(document)]
  for (const source of sources) {
    const alternatives = asArray(source).map((alternative) =>
      Object.keys(asObject(alternative) ?? {}).flatMap((name) => schemes.filter((each) => each.name === name)),
    )
    const known = alternatives.filter((alternative) => alternative.length > 0)
    if (known.length > 0) return known
  }
  return []
}

function operationSecurities(document: OpenApiDocument): unknown[] {
  const items = Object.values(asObject(document.root['paths']) ?? {})
  return items.flatMap((item) => Object.values(asObject(item) ?? {}).map((each) => asObject(each)?.['security']))
}

function authOf(together: readonly Scheme[], title: string, baseUrl: string): ServiceAuth | null {
  const [first, ...others] = together
  if (!first) return null
  const { scheme, name } = first
  const oauth = together.find((each) => each.scheme['type'] === 'oauth2')
  if (oauth) return oauthOf(oauth.scheme, title, baseUrl)
  if (scheme['type'] === 'http' && asText(scheme['scheme']).toLowerCase() === 'basic') {
    return {
      type: 'basic_auth',
      usernameLabel: 'User name',
      passwordLabel: 'Password',
      help: `The user name and password of your account with ${title}.`.slice(0, 300),
    }
  }
  const send = sendOf(scheme)
  if (!send) return null
  const additional = others.flatMap((other) => {
    const place = sendOf(other.scheme)
    return place ? [{ name: other.name.slice(0, 100), label: labelOf(other), send: place, required: true }] : []
  })
  return {
    type: 'api_key',
    label: labelOf({ name, scheme }),
    send,
    help: `Made in the settings of your account with ${title}.`.slice(0, 300),
    ...(additional.length > 0 ? { additional: additional.slice(0, 5) } : {}),
  }
}

function sendOf(scheme: JsonObject): Send | null {
  const type = asText(scheme['type'])
  if (type === 'apiKey') {
    const place = scheme['in']
    const name = asText(scheme['name'])
    if (name === '' || (place !== 'header' && place !== 'query')) return null
    return { in: place, name }
  }
  const bearer = type === 'http' && asText(scheme['scheme']).toLowerCase() === 'bearer'
  return bearer || type === 'openIdConnect' ? { in: 'header', name: 'Authorization', prefix: 'Bearer ' } : null
}

function labelOf({ name, scheme }: Scheme): string {
  if (scheme['type'] !== 'apiKey') return 'Access token'
  const words = asText(scheme['x-displayName']) || name
  return `API key (${words})`.slice(0, 100)
}

function oauthOf(scheme: JsonObject, title: string, baseUrl: string): ServiceAuth {
  const flows = asObject(scheme['flows']) ?? {}
  const send = { in: 'header', name: 'Authorization', prefix: 'Bearer ' } as const
  const pasted = { label: 'Access token', help: `A personal access token of your account with ${title}.`.slice(0, 300) }
  const flow = asObject(flows['authorizationCode'])
  const authorizationUrl = absolute(asText(flow?.['authorizationUrl']), baseUrl)
  const tokenUrl = absolute(asText(flow?.['tokenUrl']), baseUrl)
  if (!authorizationUrl || !tokenUrl) return { type: 'api_key', label: pasted.label, send, help: pasted.help }
  return {
    type: 'oauth2',
    authorizationUrl,
    tokenUrl,
    scopes: Object.keys(asObject(flow?.['scopes']) ?? {}).slice(0, scopesMax),
    clientAuthentication: 'basic',
    send,
    pasted,
  }
}

function findingsOf(together: readonly Scheme[], auth: ServiceAuth, service: string): ImportFinding[] {
  const hasOauth = together.some(({ scheme }) => scheme['type'] === 'oauth2')
  if (auth.type === 'oauth2') {
    const reason =
      'signing in needs a client id and a client secret of your own; without them people paste an access token'
    const findings = [needsLook(service, 'auth', reason, 'note')]
    if (auth.scopes.length > 10) {
      findings.push(
        needsLook(service, 'auth/scopes', `it asks for all ${auth.scopes.length} scopes of the description`),
      )
    }
    return findings
  }
  if (hasOauth) {
    const reason = 'its OAuth flow is none that a person can go through here, so people paste an access token'
    return [needsLook(service, 'auth', reason)]
  }
  if (together.some(({ scheme }) => scheme['type'] === 'openIdConnect')) {
    return [needsLook(service, 'auth', 'it uses OpenID Connect; people paste an access token until OAuth is described')]
  }
  return []
}

function absolute(url: string, baseUrl: string): string | null {
  const origin = baseUrl.replace(/\{[^{}]*\}/g, 'x')
  if (url === '' || !URL.canParse(url, origin)) return null
  const { href, protocol } = new URL(url, origin)
  return protocol === 'https:' || protocol === 'http:' ? href : null
}
