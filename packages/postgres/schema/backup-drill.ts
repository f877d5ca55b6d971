import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fail } from '@crossfade/model/failure.ts'
import type { MigrationId, ShardId } from '@crossfade/model/ids.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import type { TaskContext } from '@crossfade/pipeline/data-plane.ts'
import type { ResolvedPlan, ResolvedShard } from '@crossfade/pipeline/resolved-plan.ts'
import pg from 'pg'
import { prepareSession, shardConnection } from '../connection/connect.ts'
import type { ShardPool } from '../connection/pool.ts'
import { quoteIdentifier, quoteLiteral, quoteTable } from '../connection/quote.ts'
import type { SecretSources } from '../connection/secret.ts'
import { applyStatements, ddlSettings } from './apply-statements.ts'
import { copyFileToTable, fileDigest, tableDigest } from './backup-file.ts'
import type { BackupManifest } from './backup-manifest.ts'
import { desiredSchema } from './desired.ts'
import { schemaScript } from './generate/script.ts'
import type { Inventory } from './inventory-types.ts'
import { unchangedTables } from './mapping.ts'
import { readTarget } from './target.ts'

export interface BackupOptions {
  readonly plan: ResolvedPlan
  readonly migration: MigrationId
  pool(shard: ShardId): ShardPool
  readonly secrets?: SecretSources | undefined
  readonly context: TaskContext
}

/**
 * Restores a backup into a database of its own (on the first target's server, or on the source's where the role may create none there), compares every
 * table's rows and digest with what the source said, and drops the database. Idempotent. Rejects with CF2219 when anything differs, CF2221 when no
 * database can be created.
 */
export async function drillBackup(
  options: BackupOptions & {
    readonly shard: ResolvedShard
    readonly directory: string
    readonly manifest: BackupManifest
  },
): Promise<void> {
  const { directory, manifest, context } = options
  const differs = (difference: string) => fail('CF2219', { path: directory, difference })
  await checkFiles(directory, manifest, differs)
  const place = await createDrillDatabase(options)
  try {
    const client = await connectTo(options, place.shard, place.database)
    try {
      await restore(client, directory, manifest, options)
      for (const table of manifest.tables) {
        context.signal.throwIfAborted()
        const found = await tableDigest(client, table.name, table.columns)
        if (Number(found.split(' ')[0]) !== table.rows)
          throw differs(`${found.split(' ')[0]} rows in ${tableKey(table.name)} instead of ${table.rows}`)
        if (table.digest !== null && found !== table.digest)
          throw differs(`other rows in ${tableKey(table.name)} than the source had`)
        context.report({ drill: options.shard.id, table: tableKey(table.name) })
      }
    } finally {
      await client.end()
    }
  } finally {
    await dropDatabase(options, place.shard, place.database)
  }
}

async function checkFiles(directory: string, manifest: BackupManifest, differs: (difference: string) => Error) {
  const expected = [
    ...manifest.tables.map((table) => [table.file, table.sha256] as const),
    ...Object.entries(manifest.files),
  ]
  for (const [file, sha256] of expected) {
    const found = await fileDigest(join(directory, file)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') throw differs(`that ${file} is missing`)
      throw error
    })
    if (found !== sha256) throw differs(`that ${file} was changed`)
  }
}

async function restore(
  client: pg.Client,
  directory: string,
  manifest: BackupManifest,
  options: BackupOptions,
): Promise<void> {
  const shard = options.plan.source.shards[0]!.id
  const inventory = JSON.parse(await readFile(join(directory, manifest.inventory), 'utf8'), (_, value: unknown) =>
    typeof value === 'string' && /^-?\d+n$/.test(value) ? BigInt(value.slice(0, -1)) : value,
  ) as Inventory
  const desired = desiredSchema({ tables: unchangedTables(inventory) }, inventory, shard)
  const script = schemaScript(desired, await readTarget(client, shard))
  const inTransaction = async (work: () => Promise<unknown>) => {
    await client.query('BEGIN')
    await client.query(ddlSettings)
    await work()
    await client.query('COMMIT')
  }
  await inTransaction(() => applyStatements(client, script.pre, { shard }))
  for (const table of manifest.tables) {
    options.context.signal.throwIfAborted()
    await copyFileToTable(client, table.name, table.columns, join(directory, table.file))
  }
  for (const each of manifest.sequences) {
    await client.query(`SELECT setval(${quoteLiteral(quoteTable(each.name))}, ${BigInt(each.value)})`)
  }
  for (const unit of script.units) {
    options.context.signal.throwIfAborted()
    for (const build of unit.steps.builds) await client.query(build.sql)
    for (const statements of unit.steps.transactions)
      await inTransaction(() => applyStatements(client, statements, { shard, code: 'CF2215' }))
  }
}

async function createDrillDatabase(
  options: BackupOptions & { readonly shard: ResolvedShard; readonly manifest: BackupManifest },
): Promise<{ readonly shard: ResolvedShard; readonly database: string }> {
  const database = `crossfade_drill_${options.migration.replace(/^mig_/, '')}`
  const target = options.plan.target.shards[0]!
  for (const shard of [target, options.shard]) {
    await dropDatabase(options, shard, database)
    const created = await options.pool(shard.id).withConnection((client) =>
      client
        .query(
          `CREATE DATABASE ${quoteIdentifier(database)} TEMPLATE template0 ENCODING ${quoteLiteral(options.manifest.encoding)}`,
        )
        .then(
          () => true,
          (error: { code?: string }) => {
            if (error.code === '42501') return false
            throw error
          },
        ),
    )
    if (created) return { shard, database }
  }
  throw fail('CF2221', { target: target.id, source: options.shard.id })
}

async function dropDatabase(options: BackupOptions, shard: ResolvedShard, database: string): Promise<void> {
  await options
    .pool(shard.id)
    .withConnection((client) => client.query(`DROP DATABASE IF EXISTS ${quoteIdentifier(database)} WITH (FORCE)`))
}

async function connectTo(options: BackupOptions, shard: ResolvedShard, database: string): Promise<pg.Client> {
  const { config } = shardConnection({
    shard,
    purpose: 'backup drill',
    ...(options.secrets ? { secrets: options.secrets } : {}),
  })
  const client = new pg.Client({ ...config, database })
  client.on('error', () => {})
  await client.connect()
  await prepareSession(client)
  return client
}
