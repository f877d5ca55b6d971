import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { fail } from '@crossfade/model/failure.ts'
import type { ResolvedShard } from '@crossfade/pipeline/resolved-plan.ts'
import { shardConnection } from '../connection/connect.ts'
import type { SecretSources } from '../connection/secret.ts'

const run = promisify(execFile)

export interface PgDump {
  readonly path: string
  readonly secrets: SecretSources | undefined
}

/**
 * The path of a pg_dump at least as new as the source, the oldest of those found (in PATH and where Debian installs them); null when there is none.
 * `option` names one instead of looking; null asks for none.
 */
export async function findPgDump(option: string | null | undefined, sourceVersion: number): Promise<string | null> {
  if (option === null) return null
  const wanted = Math.floor(sourceVersion / 10_000)
  const found: { readonly path: string; readonly major: number }[] = []
  for (const path of option === undefined ? candidates() : [option]) {
    const major = await majorVersion(path)
    if (major !== null && major >= wanted) found.push({ path, major })
  }
  return found.sort((a, b) => a.major - b.major)[0]?.path ?? null
}

/**
 * What libpq programs need to reach a shard; the password only in the environment, never among the arguments. Null when the connection verifies
 * certificates in a way that can't be told by environment variables.
 */
function libpqEnvironment(shard: ResolvedShard, secrets: SecretSources | undefined): NodeJS.ProcessEnv | null {
  const { config } = shardConnection({ shard, ...(secrets ? { secrets } : {}) })
  const ssl = config.ssl
  const mode = ssl === undefined ? 'prefer' : ssl === false ? 'disable' : 'require'
  if (typeof ssl === 'object' && ssl.rejectUnauthorized !== false) return null
  return {
    PATH: process.env['PATH'],
    PGHOST: config.host,
    PGPORT: config.port === undefined ? undefined : String(config.port),
    PGUSER: config.user,
    PGDATABASE: config.database,
    PGPASSWORD: typeof config.password === 'string' ? config.password : undefined,
    PGSSLMODE: mode,
    PGCONNECT_TIMEOUT: '10',
    PGAPPNAME: 'crossfade pg_dump',
    LC_ALL: 'C',
  }
}

/** Runs pg_dump and returns what it prints. Rejects with CF2217. */
export async function runPgDump(pgDump: PgDump, shard: ResolvedShard, args: readonly string[]): Promise<string> {
  const environment = libpqEnvironment(shard, pgDump.secrets)
  if (!environment) throw fail('CF2217', { shard: shard.id, reason: 'its TLS settings cannot be passed on' })
  try {
    const { stdout } = await run(pgDump.path, [...args], {
      env: environment,
      maxBuffer: outputBytesMax,
      encoding: 'utf8',
    })
    return stdout
  } catch (error) {
    const text = (error as { stderr?: string }).stderr ?? String(error)
    throw fail('CF2217', { shard: shard.id, reason: text.trim().split('\n')[0] ?? 'no message' })
  }
}

/** A schema of hundreds of thousands of objects stays below this. */
const outputBytesMax = 512 * 1024 * 1024

/** Debian's own directories first: /usr/bin/pg_dump is a wrapper there that looks for a local cluster. */
function candidates(): string[] {
  const places: string[] = []
  try {
    for (const version of readdirSync(debianHome)) places.push(join(debianHome, version, 'bin'))
  } catch {
    // Not Debian, or nothing installed.
  }
  places.push(...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean))
  return [...new Set(places)].map((place) => join(place, 'pg_dump'))
}

const debianHome = '/usr/lib/postgresql'

async function majorVersion(path: string): Promise<number | null> {
  try {
    const { stdout } = await run(path, ['--version'], { timeout: 10_000 })
    const match = /\(PostgreSQL\) (\d+)/.exec(stdout)
    return match ? Number(match[1]) : null
  } catch {
    return null
  }
}
