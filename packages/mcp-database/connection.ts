// How we connect: TLS as the URL and the environment say, and results as plain numbers.
import { readFileSync } from 'node:fs'
import { fail, reasonOf } from '@crossfade/model/failure.ts'
import pg from 'pg'

export const connectTimeoutMs = 5_000
/** Names a file with the certificates (PEM) that the database's own must come from. With it, TLS is never left out. */
export const authorityVariable = 'CROSSFADE_MCP_DATABASE_CA'

/**
 * Options of `pg` for a URL. `sslmode` `disable` and (without an authority) `allow`, `prefer` and none mean no TLS; `no-verify` means TLS that
 * anybody could be at the end of; everything else means that certificate and host name are verified. Throws CF12504 when the authority's file can't be read.
 */
export function connectionOptions(url: string, authorityFile = process.env[authorityVariable]): pg.ClientConfig {
  const parsed = new URL(url)
  const mode = parsed.searchParams.get('sslmode') ?? 'prefer'
  const fileInUrl = parsed.searchParams.get('sslrootcert') ?? undefined
  for (const name of ['sslmode', 'sslrootcert', 'uselibpqcompat']) parsed.searchParams.delete(name)
  return {
    connectionString: parsed.href,
    ssl: tlsOptions(mode, parsed.hostname, fileInUrl ?? (authorityFile || undefined)),
    connectionTimeoutMillis: connectTimeoutMs,
    types: { getTypeParser: typeParser },
  }
}

function tlsOptions(mode: string, host: string, authorityFile: string | undefined): pg.ClientConfig['ssl'] {
  if (mode === 'disable') return false
  if (mode === 'no-verify') return { rejectUnauthorized: false }
  if (authorityFile === undefined && (mode === 'prefer' || mode === 'allow')) return false
  // `host` is what the certificate is compared with where the host is an address: `pg` names none then, and Node would take "localhost".
  const bare = host.replace(/^\[|\]$/g, '')
  const options = { rejectUnauthorized: true, host: bare, minVersion: 'TLSv1.2' } as const
  return authorityFile === undefined ? options : { ...options, ca: readAuthority(authorityFile) }
}

function readAuthority(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw fail('CF12504', { path, reason: reasonOf(cause) }, cause)
  }
}

const int8Oid = 20

/** 64-bit numbers arrive as text otherwise; none of ours outgrows 2^53. */
function typeParser(oid: number, format?: 'text' | 'binary'): (value: string) => unknown {
  if (oid === int8Oid && format !== 'binary') return Number
  return pg.types.getTypeParser(oid, format as 'text') as (value: string) => unknown
}
