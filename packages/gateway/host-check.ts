import type { IncomingHttpHeaders } from 'node:http'
import { localhostAllowedHostnames, validateHostHeader, validateOriginHeader } from '@modelcontextprotocol/server'

export interface HostRules {
  /** Host names this server answers to, without ports. */
  readonly hosts: readonly string[]
  /** Host names of web pages that may call it. */
  readonly origins: readonly string[]
}

/** The rules of a server with that public address: itself, loopback names when it is on loopback, and what the operator adds. */
export function hostRules(
  baseUrl: string,
  extraHosts: readonly string[] = [],
  extraOrigins: readonly string[] = [],
): HostRules {
  const own = new URL(baseUrl).hostname
  const loopback = localhostAllowedHostnames()
  const local = loopback.includes(own) ? loopback : []
  return {
    hosts: [...new Set([own, ...local, ...extraHosts])],
    origins: [...new Set([own, ...local, ...extraOrigins])],
  }
}

/**
 * Makes the check of Host and Origin that keeps web pages elsewhere from reaching a server through somebody's browser (DNS rebinding). The check answers with
 * the reason for a refusal, or null. Values that were seen before are not parsed again.
 */
export function hostCheck(rules: HostRules): (headers: IncomingHttpHeaders) => string | null {
  const hosts = remembered((host) => validateHostHeader(host, [...rules.hosts]).ok)
  const origins = remembered((origin) => validateOriginHeader(origin, [...rules.origins]).ok)
  return (headers) => {
    if (!hosts(headers.host ?? '')) return 'host'
    if (headers.origin !== undefined && !origins(headers.origin)) return 'origin'
    return null
  }
}

/** Clients send the same few hosts and origins over and over. */
const rememberedMax = 1_000
const rememberedCharactersMax = 300

function remembered(check: (value: string) => boolean): (value: string) => boolean {
  const answers = new Map<string, boolean>()
  return (value) => {
    const known = answers.get(value)
    if (known !== undefined) return known
    const answer = check(value)
    if (answers.size >= rememberedMax) answers.clear()
    if (value.length <= rememberedCharactersMax) answers.set(value, answer)
    return answer
  }
}
