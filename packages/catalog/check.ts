// `catalog check`: what must hold of the services before they are shipped.
import type { Finding } from '@crossfade/model/finding.ts'
import type { ServiceType } from '@crossfade/model/platform-ids.ts'
import type { Tool } from './catalog.ts'
import { catalogFinding } from './catalog-finding.ts'
import { type CompiledService, compileService } from './compile-service.ts'
import { asObject, asText } from './json-value.ts'
import { loadServices, type ServiceSource, shippedServicesDirectory } from './load-services.ts'
import { serverPaths } from './openapi/compile.ts'
import { isTaken, placeOf, sendsOf } from './openapi/credential-places.ts'
import { plainText } from './openapi/plain-text.ts'
import { variablesIn } from './openapi/servers.ts'
import { type SchemaCheck, schemaCheck } from './schema-check.ts'

export const servicesMin = 373
/** Ports that people have stored in their clients. */
export const promisedPorts: Readonly<Record<string, number>> = {
  figma: 49_160,
  gmail: 49_250,
  github: 49_294,
  slack: 49_320,
  trello: 49_330,
}
/** A description that shares this many characters in a row with the API's own is a copy. */
const copiedCharsMin = 60

export interface CheckOptions {
  /** Only these services; without it all, and their number counts. */
  readonly only?: readonly string[]
  /** Which schemas are compiled: those of all operations, of the listed ones, or of none. */
  readonly schemas?: 'all' | 'listed' | 'none'
  /** Called after each service. */
  readonly progress?: (service: ServiceType) => void
}

/** Everything that is wrong with the services of `directories`. Never throws for what is in the files. Ordered by service. */
export function checkCatalog(
  directories: readonly string[] = [shippedServicesDirectory],
  options: CheckOptions = {},
): Promise<Finding[]> {
  const { services, findings: broken } = loadServices(directories)
  const findings = [...broken.filter((each) => !options.only || options.only.includes(each.subject))]
  const check = schemaCheck()
  if (!options.only && services.length < servicesMin) {
    const details = { found: services.length, expected: servicesMin }
    findings.push(catalogFinding('CF10018', 'block', 'catalog', details))
  }
  for (const service of services) {
    if (options.only && !options.only.includes(service.config.serviceType)) continue
    findings.push(...checkService(service, check, options.schemas ?? 'all'))
    options.progress?.(service.config.serviceType)
  }
  return Promise.resolve(findings)
}

/** One service with all its operations. */
export function checkService(source: ServiceSource, check: SchemaCheck, schemas: 'all' | 'listed' | 'none'): Finding[] {
  const compiled = compileService(source)
  return [
    ...compiled.findings,
    ...portFindings(source),
    ...urlFindings(compiled),
    ...textFindings(compiled),
    ...verificationFindings(source),
    ...toolFindings(compiled, check, schemas),
  ]
}

function portFindings({ config }: ServiceSource): Finding[] {
  const service = config.serviceType
  const promised = promisedPorts[service]
  if (promised !== undefined && config.port !== promised) {
    return [catalogFinding('CF10011', 'block', service, { service, port: promised, found: config.port })]
  }
  const owner = Object.entries(promisedPorts).find(([, port]) => port === config.port)?.[0]
  if (owner === undefined || owner === service) return []
  return [
    catalogFinding('CF10011', 'block', service, { service: owner, port: config.port, found: `that of ${service}` }),
  ]
}

function urlFindings({ source: { config }, description }: CompiledService): Finding[] {
  const service = config.serviceType
  const findings: Finding[] = []
  const { variables = {}, verification, baseUrl } = config
  for (const url of [baseUrl, verification?.baseUrl].filter((each) => each !== undefined)) {
    for (const variable of variablesIn(url)) {
      const isKnown = Object.hasOwn(variables, variable) || isCredential(config, variable)
      if (!isKnown) findings.push(catalogFinding('CF10014', 'block', service, { service, variable }))
    }
    const reason = urlTrouble(url)
    if (reason) findings.push(catalogFinding('CF10015', 'block', service, { service, url, reason }))
  }
  for (const [variable, { pattern }] of Object.entries(variables)) {
    const reason = patternTrouble(pattern)
    if (reason) findings.push(catalogFinding('CF10021', 'block', service, { service, variable, pattern, reason }))
  }
  const paths = description ? serverPaths(description) : []
  const own = pathOf(baseUrl)
  if (paths.length > 0 && !paths.some((path) => path === own || path.includes('{') || own.includes('{'))) {
    const details = { service, path: own || 'no path', expected: paths.map((path) => path || 'no path').join(' or ') }
    findings.push(catalogFinding('CF10016', 'warn', service, details))
  }
  return findings
}

function isCredential(config: ServiceSource['config'], variable: string): boolean {
  return sendsOf(config.auth).some((send) => send.in === 'path' && send.name === variable)
}

function urlTrouble(url: string): string | null {
  const filled = url.replace(/\{[^{}]*\}/g, 'x')
  if (!URL.canParse(filled)) return 'it is no URL'
  const { search, hash, username } = new URL(filled)
  if (search || hash) return 'it has a query or a fragment'
  if (username) return 'it holds a user name'
  return null
}

function patternTrouble(pattern: string): string | null {
  try {
    new RegExp(pattern, 'u')
    return null
  } catch (error) {
    return (error as Error).message
  }
}

function pathOf(url: string): string {
  return url.replace(/^https?:\/\/[^/]*/, '').replace(/\/+$/, '')
}

function textFindings({ source: { config }, description }: CompiledService): Finding[] {
  const info = asObject(asObject(description)?.['info'])
  const theirs = plainText(asText(info?.['description'])).toLowerCase()
  const ours = plainText(config.description).toLowerCase()
  if (theirs === '') return []
  const isCopied =
    ours.length < copiedCharsMin
      ? theirs.includes(ours)
      : Array.from({ length: ours.length - copiedCharsMin + 1 }, (_, at) => ours.slice(at, at + copiedCharsMin)).some(
          (part) => theirs.includes(part),
        )
  const service = config.serviceType
  return isCopied ? [catalogFinding('CF10017', 'block', service, { service })] : []
}

function verificationFindings({ config }: ServiceSource): Finding[] {
  const { verification, serviceType: service, auth } = config
  if (!verification) return []
  const both = verification.validStatuses.filter((status) => verification.invalidStatuses.includes(status))
  const reason =
    auth.type === 'none'
      ? 'the service takes no key'
      : both.length > 0 && verification.truePointer === undefined
        ? `status ${both[0]} stands for both`
        : null
  return reason ? [catalogFinding('CF10022', 'block', service, { service, reason })] : []
}

function toolFindings(
  { source: { config }, listed, operations }: CompiledService,
  check: SchemaCheck,
  schemas: 'all' | 'listed' | 'none',
): Finding[] {
  const service = config.serviceType
  const findings: Finding[] = []
  const isServer = config.source.kind === 'remote-mcp' || config.source.kind === 'built-in'
  if (!isServer && listed.length === 0) findings.push(catalogFinding('CF10020', 'block', service, { service }))
  const names = new Set<string>()
  for (const { tool } of operations) {
    const details = { service, tool: tool.name }
    if (names.has(tool.name)) findings.push(catalogFinding('CF10013', 'block', service, details))
    names.add(tool.name)
    const argument = credentialArgument(tool, config)
    if (argument) findings.push(catalogFinding('CF10019', 'block', service, { ...details, argument }))
    if (schemas === 'none' || (schemas === 'listed' && !listed.includes(tool))) continue
    const reason = check(tool.inputSchema)
    if (reason) findings.push(catalogFinding('CF10012', 'block', service, { ...details, reason }))
  }
  return findings
}

/** An argument that would write where the vault writes. */
function credentialArgument(tool: Tool, config: ServiceSource['config']): string | null {
  const places = new Set(sendsOf(config.auth).map((send) => placeOf(send.in, send.name)))
  return tool.call.parameters.find((each) => isTaken(each.in, each.name, '', places))?.argument ?? null
}
