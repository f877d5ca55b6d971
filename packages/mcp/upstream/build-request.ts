// A tool and its arguments as an HTTP request. Pure; what does not depend on the call is worked out once per tool.
import type { CallParameter, HttpCall, Tool } from '@crossfade/catalog/catalog.ts'
import type { ServiceConfig } from '@crossfade/catalog/service-config.ts'
import { fail } from '@crossfade/model/failure.ts'
import type { Credential } from '../instances/session.ts'
import { type BaseAddress, compileBase, keySegment } from './base-address.ts'
import { headerRule, isHeaderValue, mayHoldKey } from './header-rules.ts'
import { encodeReserved, encodeStrictly, pathText, queryPairs } from './parameter-styles.ts'
import { type Placement, placementsOf } from './place-credential.ts'
import { encodeBody } from './request-body.ts'
import { acceptedEncodings } from './unpack.ts'
import { userAgent } from './user-agent.ts'

/** Longest path with query that is sent; longer ones are refused by most servers in less clear words. */
const targetCharactersMax = 32_768

export interface BuiltRequest {
  /** `https://api.example.com` as the WHATWG URL standard writes it: lower case, no default port. */
  readonly origin: string
  /** Path and query. */
  readonly path: string
  readonly method: HttpCall['method']
  /** Names and values in turns, as undici takes them. */
  readonly headers: string[]
  readonly body: string | Buffer | null
}

export interface RequestPlan {
  /** Whether the request holds the credential in its headers alone: only then may a redirect be followed. */
  readonly credentialInHeaders: boolean
  /** Throws CF13300 for a bad argument, CF13301 for a bad setting, CF13302 for a bad credential, CF13303 for a bad address. */
  build(
    values: Readonly<Record<string, unknown>>,
    variables: Readonly<Record<string, string>>,
    credential: Credential,
  ): BuiltRequest
}

const plans = new WeakMap<Tool, { readonly config: ServiceConfig; readonly plan: RequestPlan }>()

/** How calls of `tool` become requests. Kept as long as the tool is. Throws CF13303. */
export function requestPlan(tool: Tool, config: ServiceConfig): RequestPlan {
  const known = plans.get(tool)
  if (known !== undefined && known.config === config) return known.plan
  const plan = compileRequest(tool.call, config, tool.name)
  plans.set(tool, { config, plan })
  return plan
}

/** A part of the path: fixed text, or something that is filled in. */
type Part =
  | string
  | { readonly kind: 'parameter'; readonly parameter: CallParameter }
  | { readonly kind: 'credential'; readonly placement: Placement }

/** The plan of one operation; `toolName` is for messages. Throws CF13303 for an address that can't be. */
export function compileRequest(call: HttpCall, config: ServiceConfig, toolName: string): RequestPlan {
  const placements = placementsOf(config)
  const base = compileBase(call.baseUrl ?? config.baseUrl, config, inPath(placements))
  const refuse = (argument: string, reason: string): never => {
    throw fail('CF13300', { argument, tool: toolName, reason })
  }
  const [template = '', ...afterPath] = call.path.split('#')[0]!.split('?')
  const staticQuery = fixedText(afterPath.join('?'))
  const parts = pathParts(template, call, config, placements)
  const queryParameters = call.parameters.filter((parameter) => parameter.in === 'query')
  const cookieParameters = call.parameters.filter((parameter) => parameter.in === 'cookie')
  const inHeader = placements.filter(({ send }) => send.in === 'header')
  for (const { send } of inHeader) {
    if (!mayHoldKey(send.name))
      throw fail('CF13303', {
        service: config.serviceType,
        reason: `its key can not be sent as the header ${send.name}`,
      })
  }
  const inQuery = placements.filter(({ send }) => send.in === 'query')
  const credentialQueryNames = new Set(inQuery.map(({ send }) => encodeStrictly(send.name)))
  const fixedHeaders = fixedHeadersOf(call, config)
  const taken = new Set([...fixedHeaders.map(([name]) => name), ...inHeader.map(({ send }) => send.name.toLowerCase())])
  const headerParameters = call.parameters.filter(
    (parameter) => parameter.in === 'header' && !taken.has(parameter.name.toLowerCase()),
  )
  const headerStart = fixedHeaders.flat()
  const { body, method } = call

  return {
    credentialInHeaders: placements.length === inHeader.length,
    build(values, variables, credential) {
      const address = base(variables, credential)
      const path = buildPath(address, parts, values, credential, config, refuse)
      const pairs: string[] = []
      for (const parameter of queryParameters) {
        const value = given(parameter, values, refuse)
        if (value === undefined) continue
        const before = pairs.length
        queryPairs(parameter, value, parameter.allowReserved ? encodeReserved : encodeStrictly, pairs)
        if (credentialQueryNames.size > 0) {
          for (let index = before; index < pairs.length; index++) {
            const name = pairs[index]!.slice(0, pairs[index]!.indexOf('='))
            if (credentialQueryNames.has(name)) refuse(parameter.argument, 'stands where the key of the service goes')
          }
        }
      }
      for (const placement of inQuery) {
        const secret = placement.read(credential)
        if (secret !== null) pairs.push(`${encodeStrictly(placement.send.name)}=${encodeStrictly(secret)}`)
      }
      const query = [address.query, staticQuery, pairs.join('&')].filter(Boolean).join('&')
      const target = query === '' ? path : `${path}?${query}`
      if (target.length > targetCharactersMax)
        refuse('path and query', `are longer than ${targetCharactersMax} together`)

      const headers = headerStart.slice()
      for (const parameter of headerParameters) addHeader(parameter, values, headers, refuse)
      const cookies: string[] = []
      for (const parameter of cookieParameters) {
        queryPairs(parameter, given(parameter, values, refuse), encodeStrictly, cookies)
      }
      for (const placement of inHeader) addCredentialHeader(placement, credential, headers, cookies, config)
      if (cookies.length > 0) headers.push('cookie', cookies.join('; '))

      const encoded = body === null ? null : encodeBody(body, values, refuse)
      if (encoded !== null) headers.push('content-type', encoded.contentType)
      return { origin: address.origin, path: target, method, headers, body: encoded === null ? null : encoded.content }
    },
  }
}

type Refuse = (argument: string, reason: string) => never

/** The argument's value; undefined when it is left out. Null counts as left out, as in RFC 6570. */
function given(parameter: CallParameter, values: Readonly<Record<string, unknown>>, refuse: Refuse): unknown {
  const value = Object.hasOwn(values, parameter.argument) ? values[parameter.argument] : undefined
  if (value !== undefined && value !== null) return value
  return parameter.required ? refuse(parameter.argument, 'is missing') : undefined
}

function inPath(placements: readonly Placement[]): ReadonlyMap<string, Placement> {
  return new Map(
    placements.filter(({ send }) => send.in === 'path').map((placement) => [placement.send.name, placement]),
  )
}

function pathParts(
  template: string,
  call: HttpCall,
  config: ServiceConfig,
  placements: readonly Placement[],
): readonly Part[] {
  const credentials = inPath(placements)
  return template.split(/(\{[^{}]*\})/).flatMap((piece): Part[] => {
    if (!piece.startsWith('{')) return piece === '' ? [] : [fixedText(piece)]
    const name = piece.slice(1, -1)
    const parameter = call.parameters.find((candidate) => candidate.in === 'path' && candidate.name === name)
    if (parameter !== undefined) return [{ kind: 'parameter', parameter }]
    const placement = credentials.get(name)
    if (placement !== undefined) return [{ kind: 'credential', placement }]
    throw fail('CF13303', { service: config.serviceType, reason: `nothing fills {${name}} in ${template}` })
  })
}

/** Text of a description's own, which may hold `%XX` already. */
function fixedText(text: string): string {
  return encodeURI(text.toWellFormed()).replace(/%25([0-9A-Fa-f]{2})/g, '%$1')
}

/** A segment that a server would take as "here" or "one up". */
const dotSegmentPattern = /(?:^|[/\\])\.{1,2}(?:[/\\;]|$)/

function buildPath(
  address: BaseAddress,
  parts: readonly Part[],
  values: Readonly<Record<string, unknown>>,
  credential: Credential,
  config: ServiceConfig,
  refuse: Refuse,
): string {
  let path = address.pathPrefix
  let lastArgument: string | null = null
  for (const part of parts) {
    if (typeof part === 'string') path += part
    else if (part.kind === 'credential') path += keySegment(part.placement.read(credential) ?? '', config.serviceType)
    else {
      lastArgument = part.parameter.argument
      path += pathArgument(part.parameter, values, refuse)
    }
  }
  if (path === '') return '/'
  // Two arguments beside each other (`{name}{suffix}`) could make together what neither is.
  if (lastArgument !== null && dotSegmentPattern.test(path)) refuse(lastArgument, 'would leave its place in the path')
  return path
}

function pathArgument(parameter: CallParameter, values: Readonly<Record<string, unknown>>, refuse: Refuse): string {
  const value = Object.hasOwn(values, parameter.argument) ? values[parameter.argument] : undefined
  if (value === undefined || value === null) return refuse(parameter.argument, 'is missing')
  if (typeof value === 'string') {
    // Servers that decode twice, or decode before they split, would see these as a way up.
    if (climbs(value)) refuse(parameter.argument, 'has a segment of only dots, which would lead out of its place')
    if (value === '' && parameter.style !== 'matrix') refuse(parameter.argument, 'is empty')
    if (parameter.style === 'simple' && parameter.content === undefined) {
      return parameter.allowReserved ? encodePathReserved(value) : encodeStrictly(value)
    }
  }
  // Lists, objects and prefixes (`label`) as they will stand there, before it is encoded.
  const plain = pathText(parameter, value, (text) => text)
  if (plain !== null && climbs(plain))
    refuse(parameter.argument, 'has a segment of only dots, which would lead out of its place')
  const text = pathText(parameter, value, parameter.allowReserved ? encodePathReserved : encodeStrictly)
  return text === null ? refuse(parameter.argument, 'is empty') : text
}

/** In a path `?` would end it, so `allowReserved` does not let it through either, and `%XX` could hide what leads out of its place. */
function encodePathReserved(text: string): string {
  return encodeReserved(text.replaceAll('%', '%25')).replaceAll('?', '%3F')
}

function climbs(value: string): boolean {
  if (dotSegmentPattern.test(value)) return true
  if (!value.includes('%')) return false
  return dotSegmentPattern.test(
    value.replace(/%(?:25)*(2e|2f|5c)/gi, (_, code: string) => decoded[code.toLowerCase()]!),
  )
}

const decoded: Readonly<Record<string, string>> = { '2e': '.', '2f': '/', '5c': '\\' }

function addHeader(
  parameter: CallParameter,
  values: Readonly<Record<string, unknown>>,
  headers: string[],
  refuse: Refuse,
): void {
  const rule = headerRule(parameter.name)
  if (rule === 'ignored') return
  const value = given(parameter, values, refuse)
  if (value === undefined) return
  if (rule === 'refused') refuse(parameter.argument, `would set the header ${parameter.name}, which no argument may`)
  const text = pathText(parameter, value, (plain) => plain) ?? ''
  if (!isHeaderValue(text)) refuse(parameter.argument, 'has characters that can not stand in a header')
  headers.push(parameter.name, text)
}

function addCredentialHeader(
  { send, read }: Placement,
  credential: Credential,
  headers: string[],
  cookies: string[],
  config: ServiceConfig,
): void {
  const secret = read(credential)
  if (secret === null || send.in !== 'header') return
  const text = (send.prefix ?? '') + secret
  if (!isHeaderValue(text)) {
    const reason = 'has characters that can not stand in a header (a line break, perhaps)'
    throw fail('CF13302', { service: config.serviceType, reason })
  }
  if (send.name.toLowerCase() === 'cookie') cookies.push(text)
  else headers.push(send.name, text)
}

/** Headers that every call of the operation has, in lower case: the operation's own `accept`, then the service's, then ours. */
function fixedHeadersOf(call: HttpCall, config: ServiceConfig): [string, string][] {
  const headers = new Map([
    ['accept', 'application/json'],
    ['accept-encoding', acceptedEncodings],
    ['user-agent', userAgent],
  ])
  for (const [name, value] of Object.entries(config.headers ?? {})) headers.set(name.toLowerCase(), value)
  if (call.accept !== undefined) headers.set('accept', call.accept)
  for (const [name, value] of headers) {
    if (headerRule(name) === 'refused' || name === 'authorization' || !isHeaderValue(value)) {
      throw fail('CF13303', { service: config.serviceType, reason: `its header ${name} can not be sent` })
    }
  }
  return [...headers]
}
