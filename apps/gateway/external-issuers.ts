// Authorization servers of others whose tokens open instances, as the operator has configured them.
import { readFileSync } from 'node:fs'
import { parseExternalIssuers } from '@crossfade/accounts/external-issuer-settings.ts'
import type { ExternalIssuer, ReadIssuerDocument } from '@crossfade/accounts/external-issuers.ts'
import { guardedFetch } from '@crossfade/mcp/upstream/guarded-fetch.ts'
import { fail, reasonOf } from '@crossfade/model/failure.ts'

/** The issuers of a JSON file; none without one. Throws CF14012 for a file that can't be read, CF12312 and CF12311 for what stands in it. */
export function readExternalIssuers(path: string | undefined): readonly ExternalIssuer[] {
  if (path === undefined || path === '') return []
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw fail('CF14012', { path, reason: reasonOf(error) }, error)
  }
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch (error) {
    throw fail('CF12312', { at: 'The file', rule: `is no JSON: ${reasonOf(error)}` }, error)
  }
  return parseExternalIssuers(document)
}

export interface IssuerDocuments {
  readonly read: ReadIssuerDocument
  close(): Promise<void>
}

/**
 * Reads what issuers publish. Private addresses are refused as they are for upstreams, but for those that the operator has named: the issuers' own and `allowedPrivateHosts`. Where an issuer's
 * document points to is not of the operator's choice.
 */
export function openIssuerDocuments(
  issuers: readonly ExternalIssuer[],
  allowedPrivateHosts: readonly string[],
): IssuerDocuments {
  const named = issuers.flatMap(({ issuer, jwksUrl }) => [issuer, ...(jwksUrl === undefined ? [] : [jwksUrl])])
  const documents = guardedFetch({ allowedPrivateHosts: [...allowedPrivateHosts, ...named.map(hostAndPort)] })
  const headers = { accept: 'application/json' }
  return {
    read: (url, signal) =>
      documents.fetch(url, { redirect: 'manual', signal, headers }) as unknown as Promise<Response>,
    close: () => documents.destroy(),
  }
}

function hostAndPort(address: string): string {
  const { hostname, port, protocol } = new URL(address)
  return `${hostname}:${port || (protocol === 'https:' ? '443' : '80')}`
}
