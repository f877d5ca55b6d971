import type { Authenticated } from '@crossfade/gateway-app/contract/instances.ts'
import type { Field, ServiceDetail } from '@crossfade/gateway-app/contract/services.ts'
import { fail } from '@crossfade/model/failure.ts'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { printJson, printNote, printText } from '../../terminal/output.ts'
import { readSecretFile } from '../../terminal/read-secret-file.ts'
import { colour } from '../../terminal/style.ts'
import { openApi } from '../../wiring/mcp/api-client.ts'
import { type McpOptions, withServer } from './server-options.ts'

interface ConnectOptions extends McpOptions {
  readonly keyFile?: string
  readonly username?: string
  readonly additional: Readonly<Record<string, string>>
  readonly variable: Readonly<Record<string, string>>
  readonly force?: boolean
  readonly newToken?: boolean
  readonly client?: string
}

const snippetClients = ['claude-code', 'claude-desktop', 'cursor', 'vscode', 'curl']

/** `crossfade mcp connect`: stores a key once it was found right, and prints what a client needs. */
export function registerConnect(mcp: Command): void {
  withServer(
    mcp
      .command('connect')
      .summary('store a key for a service and get its instance URL')
      .description(
        'Asks the service whether the key is right, stores it encrypted, and prints the instance URL with a token and a snippet for MCP clients. With a service that is connected already, the key is replaced and everything else stays.',
      )
      .argument('<service>', 'as `crossfade mcp services` lists it')
      .option('--key-file <file>', 'file that holds the key, the password or the access token; - reads standard input')
      .option('--username <name>', 'for services with user name and password')
      .option('--additional <name=file>', 'a further credential, from a file; may be repeated', pair, {})
      .option('--variable <name=value>', 'what the service’s address needs; may be repeated', pair, {})
      .option('--force', 'store the key although the service does not answer')
      .option('--new-token', 'make a further token when the service is connected already')
      .addOption(new Option('--client <name>', 'only this snippet').choices(snippetClients)),
    'crossfade mcp connect github --key-file github.key\npass show figma | crossfade mcp connect figma --key-file -',
  ).action(run)
}

async function run(service: string, options: ConnectOptions): Promise<void> {
  const api = openApi(options)
  const path = `/services/${encodeURIComponent(service)}`
  const detail = await api.request<ServiceDetail>('GET', path)
  const answer = await api.request<Authenticated>('POST', `${path}/authenticate`, {
    ...bodyOf(detail, options),
    ...(options.force ? { force: true } : {}),
    ...(options.newToken ? { token: { name: 'command line' } } : {}),
  })
  if (options.json) return printJson(answer)
  printText(connectedText(answer, options.client))
  if (answer.minted) printNote(colour.dim('The token is shown this once; keep it as you keep passwords.'))
}

/** What the service's fields want, from the options; in the shape of the request. CF14013 when one is missing. */
function bodyOf(detail: ServiceDetail, options: ConnectOptions): Record<string, unknown> {
  const body: Record<string, unknown> = {}
  const additional: Record<string, string> = {}
  const variables: Record<string, string> = {}
  let keyIsTaken = false
  for (const field of detail.fields) {
    if (field.in === 'variables') {
      const value = options.variable[field.name]
      if (value !== undefined) variables[field.name] = value
      else if (field.required && field.default === null) missing(detail, field, `--variable ${field.name}=VALUE`)
    } else if (field.in === 'additional') {
      const file = options.additional[field.name]
      if (file !== undefined) additional[field.name] = readSecretFile(file, field.label)
      else if (field.required) missing(detail, field, `--additional ${field.name}=FILE`)
    } else if (field.name === 'username') {
      if (options.username !== undefined) body['username'] = options.username
      else if (field.required) missing(detail, field, '--username NAME')
    } else if (options.keyFile !== undefined && !keyIsTaken) {
      body[field.name] = readSecretFile(options.keyFile, field.label)
      keyIsTaken = true
    } else if (field.required) missing(detail, field, '--key-file FILE')
  }
  refuseUnknown(detail, options)
  if (Object.keys(additional).length > 0) body['additional'] = additional
  if (Object.keys(variables).length > 0) body['variables'] = variables
  return body
}

/** What the service has no field for was meant for another one, or is misspelled. Throws CF14025. */
function refuseUnknown({ serviceType, fields }: ServiceDetail, options: ConnectOptions): void {
  const refuse = (given: string): never => {
    throw fail('CF14025', { service: serviceType, given })
  }
  const isField = (place: Field['in'], name: string) =>
    fields.some((field) => field.in === place && field.name === name)
  for (const name of Object.keys(options.variable)) if (!isField('variables', name)) refuse(`--variable ${name}`)
  for (const name of Object.keys(options.additional)) if (!isField('additional', name)) refuse(`--additional ${name}`)
  const others = fields.filter((field) => field.in !== 'variables' && field.in !== 'additional')
  if (options.username !== undefined && !others.some(({ name }) => name === 'username')) refuse('--username')
  if (options.keyFile !== undefined && !others.some(({ name }) => name !== 'username')) refuse('--key-file')
}

function missing(detail: ServiceDetail, field: Field, option: string): never {
  throw fail('CF14013', { service: detail.serviceType, wanted: `its ${field.label}`, option })
}

function connectedText({ instance, minted, outcome, verification }: Authenticated, client: string | undefined): string {
  const words = {
    connected: 'is connected',
    replaced: 'has a new key',
    unchanged: 'was connected with this key already',
  }
  const account = instance.credential.accountLabel === null ? '' : ` as ${instance.credential.accountLabel}`
  const lines = [
    `${colour.green('✓')} ${instance.displayName} ${words[outcome]}${account}.`,
    ...(verification === 'unreachable'
      ? [`${colour.yellow('!')} The service did not answer, so the key is not verified.`]
      : []),
    ...(verification === 'unverifiable' ? ['  The service has nothing that tells a right key from a wrong one.'] : []),
    '',
    `  URL    ${minted?.url ?? instance.url}`,
  ]
  if (!minted) return [...lines, '', '  Its tokens stay as they are; --new-token makes a further one.'].join('\n')
  lines.push(`  Token  ${minted.secret}`)
  for (const snippet of minted.snippets) {
    if (client !== undefined && snippet.client !== client) continue
    lines.push('', colour.bold(snippet.file === null ? snippet.label : `${snippet.label} (${snippet.file})`))
    lines.push(...snippet.text.split('\n').map((line) => `  ${line}`))
  }
  return lines.join('\n')
}

function pair(text: string, before: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const equals = text.indexOf('=')
  if (equals < 1) throw new InvalidArgumentError('Give it as name=value.')
  return { ...before, [text.slice(0, equals)]: text.slice(equals + 1) }
}
