import type { ClientBase } from 'pg'
import { readComments, readDefaultPrivileges, readGrants, readOthers } from './inventory/attributes.ts'
import { catalogReader } from './inventory/catalog-reader.ts'
import {
  readDatabase,
  readExtensions,
  readLargeObjects,
  readPublications,
  readRoles,
  readSchemas,
  readSubscriptions,
  readTablespaces,
} from './inventory/database.ts'
import { readDependencies } from './inventory/dependencies.ts'
import { readRoutines } from './inventory/routines.ts'
import { readSequences } from './inventory/sequences.ts'
import { readTables } from './inventory/tables.ts'
import { readCollations, readTypes } from './inventory/types.ts'
import { readStatistics, readViews } from './inventory/views.ts'
import type { Inventory } from './inventory-types.ts'

/**
 * Reads what the client's database holds, at one moment: a read-only transaction of its own, with locks no stronger than those of a SELECT.
 * The client must not be in a transaction. Objects dropped while it reads make it start over, at most `readTriesMax` times.
 */
export async function readInventory(client: ClientBase): Promise<Inventory> {
  for (let tries = 1; ; tries++) {
    try {
      return await readOnce(client)
    } catch (error) {
      const code = (error as { code?: string }).code ?? ''
      if (tries >= readTriesMax || !droppedMeanwhile.has(code)) throw error
    }
  }
}

async function readOnce(client: ClientBase): Promise<Inventory> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
  try {
    await client.query(`SET LOCAL search_path = ''; SET LOCAL quote_all_identifiers = off`)
    const { rows } = await client.query<{ version: string }>(`SELECT current_setting('server_version_num') AS version`)
    const reader = catalogReader(client, Number(rows[0]!.version))
    const inventory: Inventory = {
      serverVersion: reader.version,
      database: await readDatabase(reader),
      schemas: await readSchemas(reader),
      extensions: await readExtensions(reader),
      types: await readTypes(reader),
      collations: await readCollations(reader),
      tables: await readTables(reader),
      sequences: await readSequences(reader),
      views: await readViews(reader),
      routines: await readRoutines(reader),
      statistics: await readStatistics(reader),
      defaultPrivileges: await readDefaultPrivileges(reader),
      comments: await readComments(reader),
      grants: await readGrants(reader),
      publications: await readPublications(reader),
      subscriptions: await readSubscriptions(reader),
      largeObjects: await readLargeObjects(reader),
      others: await readOthers(reader),
      dependencies: await readDependencies(reader),
      roles: await readRoles(reader),
      tablespaces: await readTablespaces(reader),
    }
    await client.query('COMMIT')
    return inventory
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined)
    throw error
  }
}

const readTriesMax = 5

/** Deparsing looks at the catalog as it is now, not as it was when the transaction began: undefined object, internal (cache lookup failed). */
const droppedMeanwhile = new Set(['42P01', '42704', '42703', '42883', 'XX000', '3F000'])
