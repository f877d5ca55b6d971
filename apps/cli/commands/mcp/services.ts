import type { ServiceDetail, ServicePage, ServiceSummary } from '@crossfade/gateway-app/contract/services.ts'
import { homePaths } from '@crossfade/gateway-app/home.ts'
import { textTable } from '@crossfade/plan/text-table.ts'
import type { Command } from 'commander'
import { printJson, printNote, printText } from '../../terminal/output.ts'
import { colour } from '../../terminal/style.ts'
import { openApi } from '../../wiring/mcp/api-client.ts'
import { isOutOfReach, localServices } from '../../wiring/mcp/local-catalog.ts'
import { type McpOptions, withServer } from './server-options.ts'

interface ServicesOptions extends McpOptions {
  readonly search?: string
  readonly category?: string
}

const servicesPerRequest = 200

/** `crossfade mcp services`: the registry, from the server, or from the catalog on disk while none runs. */
export function registerServices(mcp: Command): void {
  withServer(
    mcp
      .command('services')
      .summary('list the services: category, credential, port, health')
      .description(
        'Lists the services, or tells everything about one. Without a running server the health is not known.',
      )
      .argument('[service]', 'tell about this one: what it wants, its tools')
      .option('--search <words>', 'only services that match all of them')
      .option('--category <name>', 'only services of this category'),
    'crossfade mcp services --search design\ncrossfade mcp services github',
  ).action(async (service: string | undefined, options: ServicesOptions) => {
    if (service !== undefined) {
      const detail = await openApi(options).request<ServiceDetail>('GET', `/services/${encodeURIComponent(service)}`)
      return options.json ? printJson(detail) : printText(detailText(detail))
    }
    const found = await services(options)
    if (options.json) return printJson(found)
    if (found.length > 0) printText(listText(found))
    printNote(colour.dim(`${found.length} services`))
  })
}

async function services(options: ServicesOptions): Promise<readonly ServiceSummary[]> {
  const api = openApi(options)
  const found: ServiceSummary[] = []
  try {
    for (;;) {
      const query = new URLSearchParams({ offset: String(found.length), limit: String(servicesPerRequest) })
      if (options.search !== undefined) query.set('search', options.search)
      if (options.category !== undefined) query.set('category', options.category)
      const page = await api.request<ServicePage>('GET', `/services?${query}`)
      found.push(...page.services)
      if (page.services.length === 0 || found.length >= page.total) return found
    }
  } catch (error) {
    if (options.url !== undefined || !isOutOfReach(error)) throw error
    return localServices(homePaths(), options)
  }
}

function listText(found: readonly ServiceSummary[]): string {
  const rows = found.map((service) => [
    service.serviceType,
    service.category,
    service.auth,
    String(service.port),
    service.health.state === 'unknown' ? '' : service.health.state,
    service.instanceId === null ? '' : 'connected',
  ])
  return textTable(['service', 'category', 'credential', 'port', 'health', ''], rows, [3])
}

function detailText(detail: ServiceDetail): string {
  const fields = detail.fields.map(
    ({ label, name, required, help }) =>
      `  ${label} (${name}${required ? '' : ', optional'})${help === null ? '' : `: ${help}`}`,
  )
  const tools = detail.tools.map(({ name, description }) => [name, description.split('\n')[0]!.slice(0, 100)])
  return [
    `${colour.bold(detail.displayName)} (${detail.serviceType}), ${detail.category}, port ${detail.port}`,
    `  ${detail.description}`,
    `  ${detail.docsUrl}`,
    ...(fields.length > 0 ? ['', 'It wants:', ...fields] : []),
    ...(detail.oauth?.available ? ['', 'It can be authorized in the console.'] : []),
    '',
    `${detail.tools.length} of ${detail.operations} operations are listed as tools:`,
    textTable(['tool', 'what it does'], tools),
  ].join('\n')
}
