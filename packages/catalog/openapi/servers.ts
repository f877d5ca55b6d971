// Which host an operation goes to. The service's own base URL is the rule; an operation with servers of its own is the exception.
import { asArray, asObject, asText } from '../json-value.ts'
import type { ServiceConfig } from '../service-config.ts'

/** The base URL of an operation's own `servers`, or null when it has none or they are those of the service. */
export function serverOf(servers: unknown, config: Pick<ServiceConfig, 'baseUrl' | 'variables'>): string | null {
  const server = asObject(asArray(servers)[0])
  const url = asText(server?.['url'])
  if (!url) return null
  const declared = asObject(server?.['variables']) ?? {}
  const filled = url.replace(/\{([^{}]+)\}/g, (whole, name: string) => {
    if (config.variables && Object.hasOwn(config.variables, name)) return whole
    return asText(asObject(declared[name])?.['default']) || whole
  })
  const absolute = absoluteUrl(filled, config.baseUrl)
  if (!absolute || !hasOnlyDeclared(absolute, config.variables)) return null
  return absolute === config.baseUrl.replace(/\/+$/, '') ? null : absolute
}

/** Names of the `{variables}` in a URL. */
export function variablesIn(url: string): string[] {
  return [...url.matchAll(/\{([^{}]*)\}/g)].map((match) => match[1]!)
}

function hasOnlyDeclared(url: string, variables: ServiceConfig['variables']): boolean {
  return variablesIn(url).every((name) => variables !== undefined && Object.hasOwn(variables, name))
}

function absoluteUrl(url: string, baseUrl: string): string | null {
  if (/^https?:\/\//.test(url)) return url.replace(/\/+$/, '')
  if (url.startsWith('//')) return `https:${url}`.replace(/\/+$/, '')
  const origin = /^https?:\/\/[^/]+/.exec(baseUrl)?.[0]
  return origin && url.startsWith('/') ? `${origin}${url}`.replace(/\/+$/, '') : null
}
