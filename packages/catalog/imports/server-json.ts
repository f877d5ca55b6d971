// A remote MCP server as the MCP registry describes it (server.json, releases 2025-07-09 to 2025-12-11), as a service.
import { fail } from '@crossfade/model/failure.ts'
import { asArray, asObject, asText, type JsonObject, objectsOf } from '../json-value.ts'
import { boundedText } from '../openapi/plain-text.ts'
import type { Send, ServiceAuth, ServiceConfig } from '../service-config.ts'
import {
  freePort,
  type ImportedService,
  type ImportFinding,
  type ImportOptions,
  importedService,
  needsLook,
  serviceTypeOf,
} from './imported-service.ts'
import { patternOf } from './openapi.ts'

/** Names that say nothing of the server. */
const emptyNames = new Set(['mcp', 'server', 'mcp-server', 'remote', 'api'])

/** Whether a document is meant as a server.json. */
export function isServerJson(raw: unknown): boolean {
  const root = asObject(raw)
  if (!root) return false
  const isRegistry = asText(root['$schema']).endsWith('/server.schema.json')
  return isRegistry || ('name' in root && ('remotes' in root || 'packages' in root) && !('paths' in root))
}

/**
 * The service that stands for the remote server: its tools stay its own. Secret headers become the credential, its URL's variables
 * those of an instance. Pure. Throws CF10050 when the document is no server.json or has no remote server.
 */
export function importServerJson(raw: unknown, file: string, options: ImportOptions): ImportedService {
  const root = asObject(raw)
  const name = asText(root?.['name'])
  if (!root || name === '') throw fail('CF10050', { file, reason: 'it is no server.json: `name` is missing' })
  const remote = chosenRemote(root, file)
  const [, last = name] = name.split('/')
  const namespace = name.split('/')[0]!.split('.').pop()!
  const title = asText(root['title']).trim() || (emptyNames.has(last.toLowerCase()) ? `${namespace} ${last}` : last)
  const serviceType = serviceTypeOf(options.serviceType, title, file)
  const findings: ImportFinding[] = []
  const url = options.baseUrl ?? asText(remote['url'])
  const urlVariables = asObject(remote['variables']) ?? {}
  const credentials = credentialsOf(remote, url, urlVariables, serviceType, findings)
  const transport = remote['type'] === 'sse' ? ({ transport: 'sse' } as const) : {}
  if (remote['type'] === 'sse') {
    findings.push(
      needsLook(serviceType, 'source', 'it offers only the older transport with server-sent events', 'note'),
    )
  }
  const variables = variablesOf(url, urlVariables)
  const config: ServiceConfig = {
    serviceType,
    ...(options.owner === undefined ? {} : { owner: options.owner }),
    displayName: (options.displayName ?? title).slice(0, 100),
    category: options.category ?? 'utilities',
    description: descriptionOf(asText(root['description']), title),
    docsUrl: docsUrlOf(root, url),
    port: options.port ?? freePort(serviceType, options.portsTaken),
    baseUrl: url.replace(/[?#].*$/, '').replace(/\/+$/, ''),
    ...(Object.keys(variables).length > 0 ? { variables } : {}),
    auth: credentials.auth,
    verification: null,
    source: { kind: 'remote-mcp', url, ...transport },
    tools: [],
    ...(Object.keys(credentials.headers).length > 0 ? { headers: credentials.headers } : {}),
  }
  if (url.startsWith('http://')) {
    findings.push(
      needsLook(
        serviceType,
        'source/url',
        'keys would go to it unencrypted, by http',
        'warn',
        pointerOfRemote(root, url),
      ),
    )
  }
  return importedService(config, null, findings, file)
}

function pointerOfRemote(root: JsonObject, url: string): string {
  const at = asArray(root['remotes']).findIndex((each) => asObject(each)?.['url'] === url)
  return at < 0 ? '/remotes' : `/remotes/${at}/url`
}

function chosenRemote(root: JsonObject, file: string): JsonObject {
  const remotes = objectsOf(root['remotes'])
  const usable = remotes.filter((each) => /^https?:\/\/\S+$/.test(asText(each['url'])))
  const remote =
    usable.find((each) => each['type'] === 'streamable-http' || each['transport_type'] === 'streamable-http') ??
    usable.find((each) => each['type'] === 'sse' || each['transport_type'] === 'sse')
  if (remote) return 'type' in remote ? remote : { ...remote, type: remote['transport_type'] }
  const reason =
    remotes.length > 0
      ? 'none of its remote servers has a URL and a transport that can be served'
      : 'it describes programs to install, but no remote server'
  throw fail('CF10050', { file, reason })
}

interface Header {
  readonly name: string
  readonly label: string
  readonly send: Send
  readonly required: boolean
}

/** The first secret is the key, further ones stand beside it; headers with a fixed value go with every request. */
function credentialsOf(
  remote: JsonObject,
  url: string,
  urlVariables: JsonObject,
  service: string,
  findings: ImportFinding[],
): { auth: ServiceAuth; headers: Record<string, string> } {
  const fixed: Record<string, string> = {}
  const asked: Header[] = []
  for (const each of asArray(remote['headers'])) {
    const header = asObject(each)
    const name = asText(header?.['name'])
    if (!header || name === '') continue
    const value = asText(header['value'])
    if (value !== '' && !/\{[^{}]+\}/.test(value)) fixed[name] = value
    else asked.push(askedHeader(header, name, value, service, findings))
  }
  for (const [name, value] of Object.entries(urlVariables)) {
    const variable = asObject(value) ?? {}
    if (variable['isSecret'] !== true || !url.includes(`{${name}}`)) continue
    asked.push({ name, label: labelOf(variable, name), send: { in: 'path', name }, required: true })
  }
  const key = asked.find((each) => each.required) ?? asked[0]
  if (!key) {
    const reason = 'it names no key; where the server wants one, or a sign-in, describe it'
    findings.push(needsLook(service, 'auth', reason, 'note'))
    return { auth: { type: 'none' }, headers: fixed }
  }
  const additional = asked.filter((each) => each !== key).slice(0, 5)
  const auth: ServiceAuth = {
    type: 'api_key',
    label: key.label,
    send: key.send,
    help: `As the publisher of the server describes it; sent as ${key.name}.`.slice(0, 300),
    ...(additional.length > 0 ? { additional } : {}),
  }
  return { auth, headers: fixed }
}

function askedHeader(
  header: JsonObject,
  name: string,
  value: string,
  service: string,
  findings: ImportFinding[],
): Header {
  const template = /^([^{}]*)\{([^{}]+)\}$/.exec(value)
  const isAuthorization = name.toLowerCase() === 'authorization'
  const prefix = template ? template[1]! : isAuthorization ? 'Bearer ' : ''
  if (value !== '' && !template) {
    findings.push(needsLook(service, 'auth/send', `the value of ${name} has a form that cannot be filled in`))
  } else if (value === '' && isAuthorization) {
    findings.push(
      needsLook(service, 'auth/send', 'it does not say what stands before the key; `Bearer` is taken', 'note'),
    )
  }
  if (header['isSecret'] !== true && !isAuthorization) {
    findings.push(needsLook(service, 'auth', `${name} is no secret, but is kept like one`, 'note'))
  }
  const variable = template ? asObject(asObject(header['variables'])?.[template[2]!]) : null
  return {
    name: name.slice(0, 100),
    label: labelOf({ ...header, ...variable }, name),
    send: { in: 'header', name, ...(prefix === '' ? {} : { prefix }) },
    required: header['isRequired'] === true || header['isSecret'] === true,
  }
}

function labelOf(input: JsonObject, name: string): string {
  return boundedText(asText(input['description']), 100) || name.slice(0, 100)
}

function variablesOf(url: string, declared: JsonObject): NonNullable<ServiceConfig['variables']> {
  const names = [...new Set([...url.matchAll(/\{([^{}]+)\}/g)].map((match) => match[1]!))]
  const entries = names.flatMap((name) => {
    const variable = asObject(declared[name]) ?? {}
    if (variable['isSecret'] === true) return []
    const choices = asArray(variable['choices']).map(String)
    const fallback = asText(variable['default'] ?? variable['value'])
    const help = boundedText(asText(variable['description']), 300)
    const value = {
      label: name.slice(0, 100),
      pattern: patternOf(choices),
      ...(fallback ? { default: fallback } : {}),
      ...(help ? { help } : {}),
    }
    return [[name, value] as const]
  })
  return Object.fromEntries(entries)
}

function descriptionOf(text: string, title: string): string {
  const own = boundedText(text, 400)
  return own.length >= 10 ? own : `${title}: an imported remote MCP server.`.slice(0, 400)
}

function docsUrlOf(root: JsonObject, url: string): string {
  const named = [root['websiteUrl'], root['website_url'], asObject(root['repository'])?.['url']].map(asText)
  return named.find((each) => /^https?:\/\/\S+$/.test(each) && each.length <= 500) ?? url.replace(/[?#].*$/, '')
}
