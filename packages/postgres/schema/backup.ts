import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { Failure, fail, reasonOf } from '@crossfade/model/failure.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import type { ResolvedShard } from '@crossfade/pipeline/resolved-plan.ts'
import type { ClientBase } from 'pg'
import { quoteIdentifier, quoteLiteral, quoteTable } from '../connection/quote.ts'
import { type BackupOptions, drillBackup } from './backup-drill.ts'
import { copyTableToFile, tableDigest } from './backup-file.ts'
import type { BackupManifest, BackupOfTable } from './backup-manifest.ts'
import { desiredSchema } from './desired.ts'
import { type SchemaScript, type ScriptTarget, schemaScript } from './generate/script.ts'
import { readInventory } from './inventory.ts'
import type { Inventory } from './inventory-types.ts'
import { unchangedTables } from './mapping.ts'
import { readSequenceStates } from './sequences.ts'

/**
 * Backs up every source database below the plan's directory: all its tables, also those that are not moved, as binary COPY files of one snapshot; the schema as
 * SQL; a manifest with rows and SHA-256; and `restore.sql`, by which psql alone puts it back. With `drill` each one is restored into a database beside,
 * compared, and dropped again. Idempotent: a finished backup is kept as it is. Rejects with CF2218, CF2219 or CF2221.
 */
export async function backupDatabases(
  options: BackupOptions,
): Promise<{ readonly path: string; readonly bytes: number; readonly drilled: boolean }> {
  const { plan, migration } = options
  const path = resolve(
    plan.backup.directory ?? '.crossfade/backup',
    `${plan.name.replace(/[^\w.-]+/g, '_')}-${migration}`,
  )
  let bytes = 0
  for (const shard of plan.source.shards) {
    const directory = join(path, shard.id.replace(/[^\w.-]+/g, '_'))
    const manifest = (await finishedManifest(directory)) ?? (await backupShard(options, shard, directory))
    bytes += manifest.tables.reduce((sum, table) => sum + table.bytes, 0)
    if (plan.backup.drill) await drillBackup({ ...options, shard, directory, manifest })
  }
  return { path, bytes, drilled: plan.backup.drill }
}

async function backupShard(options: BackupOptions, shard: ResolvedShard, directory: string): Promise<BackupManifest> {
  const partial = `${directory}.partial`
  try {
    await rm(partial, { recursive: true, force: true })
    await mkdir(partial, { recursive: true, mode: 0o700 })
    const manifest = await options
      .pool(shard.id)
      .withConnection((client) => writeBackup(options, client, shard, partial), { signal: options.context.signal })
    await rm(directory, { recursive: true, force: true })
    await rename(partial, directory)
    return manifest
  } catch (error) {
    if (error instanceof Failure || options.context.signal.aborted) throw error
    throw fail('CF2218', { shard: shard.id, path: directory, reason: reasonOf(error) }, error)
  }
}

async function writeBackup(
  options: BackupOptions,
  client: ClientBase,
  shard: ResolvedShard,
  directory: string,
): Promise<BackupManifest> {
  const { context } = options
  const inventory = await readInventory(client)
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
  try {
    const { rows } = await client.query<{ lsn: string; at: string }>(
      'SELECT pg_current_wal_lsn()::text AS lsn, clock_timestamp()::text AS at',
    )
    const tables: BackupOfTable[] = []
    const stored = inventory.tables.filter((table) => table.kind === 'table')
    for (const [index, table] of stored.entries()) {
      const columns = table.columns.filter((column) => !column.generated).map((column) => column.name)
      const file = `${String(index + 1).padStart(5, '0')}.copy`
      const copied = await copyTableToFile(client, table.name, columns, join(directory, file), context)
      const digest = options.plan.backup.drill ? await tableDigest(client, table.name, columns) : null
      tables.push({ name: table.name, columns, file, digest, ...copied })
      context.report({ backup: shard.id, table: tableKey(table.name), done: index + 1, total: stored.length })
    }
    const sequences = (await readSequenceStates(client))
      .filter((state) => state.used)
      .map((state) => ({ name: state.name, value: String(state.value) }))
    const script = wholeSchema(inventory, shard.id)
    const files = {
      'before.sql': sqlOf(script.pre.map((each) => each.sql)),
      'after.sql': sqlOf(
        script.units.flatMap((unit) => [
          ...unit.steps.builds.map((build) => build.sql.replace(' CONCURRENTLY', '')),
          ...unit.steps.transactions.flat().map((each) => each.sql),
        ]),
      ),
      'restore.sql': restoreScript(tables, sequences),
    }
    for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text, { mode: 0o600 })
    const manifest: BackupManifest = {
      format: 1,
      shard: shard.id,
      database: inventory.database.name,
      serverVersion: inventory.serverVersion,
      encoding: inventory.database.encoding,
      at: rows[0]!.at,
      lsn: rows[0]!.lsn,
      inventory: 'inventory.json',
      files: Object.fromEntries(
        Object.entries(files).map(([name, text]) => [name, createHash('sha256').update(text).digest('hex')]),
      ),
      tables,
      sequences,
    }
    const plainText = (_: string, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value)
    await writeFile(join(directory, manifest.inventory), JSON.stringify(inventory, plainText, 1), { mode: 0o600 })
    await writeFile(join(directory, 'manifest.json'), JSON.stringify(manifest, null, 2), { mode: 0o600 })
    await client.query('COMMIT')
    return manifest
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined)
    throw error
  }
}

async function finishedManifest(directory: string): Promise<BackupManifest | null> {
  try {
    return JSON.parse(await readFile(join(directory, 'manifest.json'), 'utf8')) as BackupManifest
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** The DDL for an empty database of the same version, all tables included. */
function wholeSchema(inventory: Inventory, shard: ShardId): SchemaScript {
  const target: ScriptTarget = {
    shard,
    inventory: {
      ...inventory,
      schemas: inventory.schemas.filter((schema) => schema.name === 'public'),
      extensions: inventory.extensions.filter((extension) => extension.name === 'plpgsql'),
      types: [],
      collations: [],
      routines: [],
      sequences: [],
      tables: [],
      views: [],
    },
    roles: new Set(inventory.roles),
    ownable: new Set(inventory.roles),
    self: '',
  }
  return schemaScript(desiredSchema({ tables: unchangedTables(inventory) }, inventory, shard), target)
}

function sqlOf(statements: readonly string[]): string {
  const settings = [`SET search_path = ''`, 'SET check_function_bodies = off', 'SET row_security = off']
  return [...settings, ...statements].map((sql) => `${sql.replace(/;\s*$/, '')};\n`).join('')
}

function restoreScript(tables: readonly BackupOfTable[], sequences: BackupManifest['sequences']): string {
  return [
    '-- psql -X -v ON_ERROR_STOP=1 -d DATABASE -f restore.sql    (into an empty database)',
    '\\ir before.sql',
    ...tables
      .filter((table) => table.columns.length > 0)
      .map(
        (table) =>
          `\\copy ${quoteTable(table.name)} (${table.columns.map(quoteIdentifier).join(', ')}) FROM '${table.file}' WITH (FORMAT binary)`,
      ),
    ...sequences.map((each) => `SELECT setval(${quoteLiteral(quoteTable(each.name))}, ${each.value});`),
    '\\ir after.sql',
    '',
  ].join('\n')
}
