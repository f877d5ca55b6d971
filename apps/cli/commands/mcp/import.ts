import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import type { Imported } from '@crossfade/gateway-app/contract/imports.ts'
import { fail, reasonOf } from '@crossfade/model/failure.ts'
import type { Command } from 'commander'
import { printJson, printText } from '../../terminal/output.ts'
import { colour } from '../../terminal/style.ts'
import { openApi } from '../../wiring/mcp/api-client.ts'
import { type McpOptions, withServer } from './server-options.ts'

interface ImportOptions extends McpOptions {
  readonly as?: string
  readonly replace?: boolean
}

/** `crossfade mcp import`: a service of one's own, from an OpenAPI description or a registry's `server.json`. */
export function registerImport(mcp: Command): void {
  withServer(
    mcp
      .command('import')
      .summary('add a service from an OpenAPI file or an MCP registry’s server.json')
      .description(
        'Makes a service of an OpenAPI description (JSON or YAML) or of a remote MCP server (server.json). It is served at once, on every worker.',
      )
      .argument('<file>', 'openapi.yaml, openapi.json or server.json')
      .option('--as <service>', 'the service’s name; default: from the file')
      .option('--replace', 'overwrite what was imported under this name before'),
    'crossfade mcp import openapi.yaml --as orders',
  ).action(async (file: string, options: ImportOptions) => {
    const imported = await openApi(options).request<Imported>('POST', '/imports', {
      text: textOf(file),
      fileName: basename(file),
      // The command line acts for the whole installation.
      audience: 'everybody',
      ...(options.as === undefined ? {} : { serviceType: options.as }),
      ...(options.replace ? { replace: true } : {}),
    })
    if (options.json) return printJson(imported)
    const { serviceType, displayName, listedTools, operations, findings } = imported
    printText(
      `${colour.green('✓')} ${displayName} is served as ${serviceType}: ${operations} operations, ${listedTools} listed.`,
    )
    for (const { message } of findings) printText(`${colour.yellow('!')} ${message}`)
    printText(`  Next: crossfade mcp connect ${serviceType} --key-file KEY`)
  })
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw fail('CF14012', { path, reason: reasonOf(error) }, error)
  }
}
