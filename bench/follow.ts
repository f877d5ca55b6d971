// Changes applied per second by Crossfade against `pgcopydb follow`: the same changes (inserts, then inserts, updates and deletes in equal parts), written first and then
// followed by each in its turn, from the same server to the same server, into a database of its own. Needs pgcopydb and a server that has its plugin, wal2json.
// Options: --rows N (100000), --rounds N (3), --per-transaction N (100), --json. The last line is one JSON object.
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { sql } from './connection.ts'
import { installed } from './installed-program.ts'
import { type InstalledServer, installationWith, startInstalled } from './installed-server.ts'
import { median } from './median.ts'
import { insertsSql, itemsSql, mixedSql, openStream, requireSameItems } from './one-stream.ts'

const { values: options } = parseArgs({
  options: {
    rows: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '3' },
    'per-transaction': { type: 'string', default: '100' },
    json: { type: 'boolean', default: false },
  },
})
const rows = Number(options.rows)
const rounds = Number(options.rounds)
const perTransaction = Number(options['per-transaction'])
/** Versions that pgcopydb 0.10 and Crossfade both know. */
const versions = [14, 15]
const plugin = 'wal2json'
const settings = { shared_buffers: '256MB', max_wal_size: '4GB' }
const run = promisify(execFile)
/** A peer that has not come to the end by then is said not to have. */
const peerMsMax = 120_000

const place = installationWith(plugin, versions)
const skipped = !installed('pgcopydb')
  ? 'pgcopydb is not installed'
  : place === null
    ? `no PostgreSQL ${versions.join(' or ')} with ${plugin} is installed`
    : null
if (skipped === null) await compare(place!)
else console.log(JSON.stringify({ benchmark: 'follow', ratio: null, skipped }))

async function compare(directory: string): Promise<void> {
  const servers: InstalledServer[] = []
  try {
    for (let side = 0; side < 2; side += 1) servers.push(await startInstalled(directory, settings))
    const runs: { crossfade: number[]; pgcopydb: number[] } = { crossfade: [], pgcopydb: [] }
    for (let round = 0; round < rounds; round += 1) {
      const rates = await measure(servers[0]!, servers[1]!, round)
      runs.crossfade.push(rates.crossfade)
      runs.pgcopydb.push(rates.pgcopydb)
      if (!options.json) console.log(`round ${round + 1}: ${JSON.stringify(rates)}`)
    }
    const [own, peer] = [median(runs.crossfade), median(runs.pgcopydb)]
    const ratio = Math.round((own / peer) * 100) / 100
    console.log(
      JSON.stringify({
        benchmark: 'follow',
        rows: rows * 2,
        perTransaction,
        rowsPerSecond: { crossfade: own, pgcopydb: peer },
        ratio,
        runs,
      }),
    )
  } finally {
    await Promise.all(servers.map((server) => server.destroy()))
  }
}

async function measure(
  source: InstalledServer,
  target: InstalledServer,
  round: number,
): Promise<{ crossfade: number; pgcopydb: number }> {
  const there = await source.createDatabase(`bench_${round}`)
  const ours = await target.createDatabase(`crossfade_${round}`)
  const theirs = await target.createDatabase(`pgcopydb_${round}`)
  for (const url of [there, ours, theirs]) await sql(url, itemsSql)
  const work = mkdtempSync(join(tmpdir(), 'crossfade-bench-'))
  try {
    // Both know where to begin before anything is written.
    const ends = ['--source', there, '--target', theirs, '--dir', join(work, 'pgcopydb')]
    const names = ['--slot-name', `pgcopydb_${round}`, '--origin', `pgcopydb_${round}`]
    await run('pgcopydb', ['stream', 'setup', '--not-consistent', ...ends, ...names])
    const stream = await openStream(there, ours)
    await sql(there, insertsSql(rows, perTransaction))
    await sql(there, mixedSql(rows, perTransaction))
    const [position] = await sql(there, 'SELECT pg_current_wal_flush_lsn()::text AS lsn')
    const [changed] = await sql(
      there,
      `SELECT (n_tup_ins + n_tup_upd + n_tup_del)::text AS changes FROM pg_stat_user_tables WHERE relname = 'items'`,
    )
    const crossfade = await stream.follow()
    await stream.drop()
    await run('pgcopydb', ['stream', 'sentinel', 'set', 'apply', '--source', there])
    const started = performance.now()
    const follow = ['follow', ...ends, ...names, '--resume', '--not-consistent', '--endpos', position!['lsn']!]
    await run('pgcopydb', follow, { timeout: peerMsMax }).catch((error: { readonly killed?: boolean }) => {
      if (error.killed) throw new Error(`pgcopydb follow did not come to the end within ${peerMsMax / 1_000} s`)
      throw error
    })
    const seconds = (performance.now() - started) / 1_000
    for (const url of [ours, theirs]) await requireSameItems(there, url)
    return { crossfade, pgcopydb: Math.round(Number(changed!['changes']) / seconds) }
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}
