import { basename } from 'node:path'
import type { Imported } from '@crossfade/gateway-app/contract/imports.ts'
import { fail } from '@crossfade/model/failure.ts'
import { parseServiceType } from '@crossfade/model/platform-ids.ts'
import { type Command, InvalidArgumentError } from 'commander'
import { printJson, printText } from '../../terminal/output.ts'
import { readTextFile } from '../../terminal/read-text-file.ts'
import { colour } from '../../terminal/style.ts'
import { openApi } from '../../wiring/mcp/api-client.ts'
import { type McpOptions, withServer } from './server-options.ts'

/** A request has room for little more. */
const importBytesMax = 8_000_000

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
      .option('--as <service>', 'the service’s name; default: from the file', serviceName)
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

/** What can't be taken is not sent. Throws CF14012, CF10050, CF10051. */
function textOf(path: string): string {
  const text = readTextFile(path)
  if (text.trim() === '') throw fail('CF10050', { file: path, reason: 'it is empty' })
  const bytes = Buffer.byteLength(text)
  if (bytes > importBytesMax) throw fail('CF10051', { file: path, bytes, bytesMax: importBytesMax })
  return text
}

function serviceName(text: string): string {
  if (parseServiceType(text) !== null) return text
  throw new InvalidArgumentError('Give 2 to 50 of a–z, 0–9, - and _, a letter first.')
}
