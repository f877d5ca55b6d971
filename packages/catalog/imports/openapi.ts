// A user's own OpenAPI description as a service.

import { fail } from '@crossfade/model/failure.ts'
import { asArray, asObject, asText, objectsOf } from '../json-value.ts'
import { type CompiledOperation, compileOpenApi } from '../openapi/compile.ts'
import { type OpenApiDocument, openDocument } from '../openapi/document.ts'
import { boundedText } from '../openapi/plain-text.ts'
import { pointerOf } from '../schema-problems.ts'
import type { KeyVerification, ServiceConfig } from '../service-config.ts'
import { guessAuth } from './guess-auth.ts'
import {
  freePort,
  type ImportedService,
  type ImportFinding,
  type ImportOptions,
  importedService,
  needsLook,
  serviceTypeOf,
} from './imported-service.ts'

/** So many operations are shown at first; the others are found by search. */
export const importedToolsMax = 20
/** Ids that stand twice are told one by one up to here. */
const clashesMax = 20
/** What may stand for a variable of a URL: nothing that could lead to another host or path. */
const variablePattern = '^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?$'

/**
 * The service that an OpenAPI 2.0, 3.0 or 3.1 document describes, with what could not be found out as findings. Pure: nothing is
 * written or fetched. Throws CF10030 when it is no such document, CF10050 when no service can be made of it.
 */
export function importOpenApi(raw: unknown, file: string, options: ImportOptions): ImportedService {
  const document = openDocument(raw, file)
  const info = asObject(document.root['info']) ?? {}
  const title = asText(info['title']).trim().slice(0, 100) || 'Imported service'
  const serviceType = serviceTypeOf(options.serviceType, title, file)
  const server = serverOf(document, options, file)
  const { auth, findings: authFindings } = guessAuth(document, serviceType, title, server.baseUrl)
  const operations = compileOpenApi(raw, { config: { auth, ...server }, file })
  if (operations.length === 0) throw fail('CF10050', { file, reason: 'it has no operations' })
  const verification = auth.type === 'none' ? null : guessVerification(operations)
  const config: ServiceConfig = {
    serviceType,
    ...(options.owner === undefined ? {} : { owner: options.owner }),
    displayName: options.displayName ?? title,
    category: options.category ?? 'utilities',
    description: descriptionOf(asText(info['description']), title, operations.length),
    docsUrl: docsUrlOf(document, server.baseUrl),
    port: options.port ?? freePort(serviceType, options.portsTaken),
    ...server,
    auth,
    verification,
    source: { kind: 'openapi-file' },
    tools: toolsOf(operations),
  }
  const findings = [
    ...authFindings,
    ...referenceFindings(raw, serviceType),
    ...serverFindings(config),
    ...nameFindings(operations, serviceType),
    ...verificationFindings(config),
  ]
  return importedService(config, raw, findings, file)
}

function serverOf(
  document: OpenApiDocument,
  options: ImportOptions,
  file: string,
): Pick<ServiceConfig, 'baseUrl' | 'variables'> {
  if (options.baseUrl !== undefined) return { baseUrl: options.baseUrl.replace(/\/+$/, '') }
  const servers = objectsOf(document.root['servers'])
  const server = servers.find((each) => /^https?:\/\//.test(asText(each['url'])))
  if (!server) throw fail('CF10050', { file, reason: 'it names no absolute server; give its base URL' })
  const baseUrl = asText(server['url']).replace(/\/+$/, '')
  const declared = asObject(server['variables']) ?? {}
  const names = [...new Set([...baseUrl.matchAll(/\{([^{}]*)\}/g)].map((match) => match[1]!))]
  if (names.length === 0) return { baseUrl }
  const variables = Object.fromEntries(
    names.map((name) => {
      const variable = asObject(declared[name]) ?? {}
      const choices = asArray(variable['enum']).map(String)
      const help = boundedText(asText(variable['description']), 300)
      const fallback = asText(variable['default'])
      return [
        name,
        {
          label: name.slice(0, 100) || 'variable',
          pattern: patternOf(choices),
          ...(fallback ? { default: fallback } : {}),
          ...(help ? { help } : {}),
        },
      ]
    }),
  )
  return { baseUrl, variables }
}

/** What may stand for a variable that has these choices; where it has none, `variablePattern`. */
export function patternOf(choices: readonly string[]): string {
  if (choices.length === 0) return variablePattern
  return `^(?:${choices.map((choice) => choice.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')).join('|')})$`
}

function descriptionOf(text: string, title: string, operations: number): string {
  const own = boundedText(text, 300)
  const count = `${operations} operation${operations === 1 ? '' : 's'}`
  return own.length >= 10 ? own : `${title}: an imported API with ${count}.`.slice(0, 400)
}

function docsUrlOf(document: OpenApiDocument, baseUrl: string): string {
  const info = asObject(document.root['info'])
  const named = [
    asObject(document.root['externalDocs'])?.['url'],
    asObject(info?.['contact'])?.['url'],
    asObject(info)?.['termsOfService'],
  ].map(asText)
  return named.find((url) => /^https?:\/\/\S+$/.test(url) && url.length <= 500) ?? baseUrl
}

function toolsOf(operations: readonly CompiledOperation[]): string[] {
  const current = operations.filter(({ tool }) => !tool.description.startsWith('Deprecated.'))
  return (current.length > 0 ? current : operations).slice(0, importedToolsMax).map(({ tool }) => tool.name)
}

/** `GET /me` and its like answer 401 to a wrong key, where anything does. */
function guessVerification(operations: readonly CompiledOperation[]): KeyVerification | null {
  const found = operations.find(
    ({ tool: { call } }) =>
      call.method === 'GET' &&
      !call.path.includes('{') &&
      !call.path.includes('?') &&
      !call.parameters.some((parameter) => parameter.required) &&
      /\/(me|self|whoami|user|users\/me|account|profile|current[-_]?user|user\/current|verify|auth\/test)\/?$/i.test(
        call.path,
      ),
  )
  if (!found) return null
  return { method: 'GET', path: found.tool.call.path, validStatuses: [200], invalidStatuses: [401, 403] }
}

function verificationFindings({ serviceType, verification, auth }: ServiceConfig): ImportFinding[] {
  if (auth.type === 'none') return []
  if (!verification) {
    const reason = 'nothing in its description tells a right key from a wrong one, so keys are stored unchecked'
    return [needsLook(serviceType, 'verification', reason)]
  }
  return [needsLook(serviceType, 'verification', `keys are checked by GET ${verification.path}`, 'note')]
}

function serverFindings({ serviceType, baseUrl, variables }: ServiceConfig): ImportFinding[] {
  const findings: ImportFinding[] = []
  if (baseUrl.startsWith('http://')) {
    findings.push(needsLook(serviceType, 'baseUrl', 'keys would go to it unencrypted, by http', 'warn', '/servers'))
  }
  const open = Object.entries(variables ?? {}).filter(([, variable]) => variable.default === undefined)
  if (open.length > 0) {
    const names = open.map(([name]) => name).join(', ')
    findings.push(needsLook(serviceType, 'variables', `people must give ${names} when they connect`, 'note'))
  }
  return findings
}

/** References to other files or hosts are not followed: what they stand for accepts any value. */
function referenceFindings(raw: unknown, service: string): ImportFinding[] {
  // By what they lead to, with the first place.
  const outside = new Map<string, string>()
  const queue: { readonly value: unknown; readonly pointer: string }[] = [{ value: raw, pointer: '' }]
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (typeof next.value !== 'object' || next.value === null) continue
    for (const [key, each] of Object.entries(next.value)) {
      const pointer = `${next.pointer}${pointerOf([key])}`
      if (key === '$ref' && typeof each === 'string' && !each.startsWith('#')) outside.set(each, pointer)
      else if (typeof each === 'object' && each !== null) queue.push({ value: each, pointer })
    }
  }
  const first = [...outside.keys()].sort()[0]
  if (first === undefined) return []
  const count = outside.size === 1 ? 'a reference leads' : `${outside.size} references lead`
  const reason = `${count} out of it (${first.slice(0, 100)}) and ${outside.size === 1 ? 'is' : 'are'} not followed; bundle it into one file`
  return [needsLook(service, 'source', reason, 'warn', outside.get(first)!)]
}

/** Ids that stand twice, each with the name that its tool got; and that others were spelt anew, once for all of them. */
function nameFindings(operations: readonly CompiledOperation[], service: string): ImportFinding[] {
  const findings: ImportFinding[] = []
  const seen = new Set<string>()
  const spelt: string[] = []
  for (const { operationId, tool } of operations) {
    if (operationId === '') continue
    const { method, path } = tool.call
    if (seen.has(operationId) && findings.length < clashesMax) {
      const pointer = pointerOf(['paths', path, method.toLowerCase(), 'operationId'])
      const reason = `the id ${operationId.slice(0, 100)} stands twice; ${method} ${path.slice(0, 200)} is the tool ${tool.name}`
      findings.push(needsLook(service, 'tools', reason, 'warn', pointer))
    } else if (tool.name !== operationId) spelt.push(`${operationId.slice(0, 100)} is ${tool.name}`)
    seen.add(operationId)
  }
  if (spelt.length > 0) {
    const count = spelt.length === 1 ? 'one id is' : `${spelt.length} ids are`
    findings.push(needsLook(service, 'tools', `${count} spelt as MCP clients take them: ${spelt[0]}`, 'note', '/paths'))
  }
  return findings
}
