import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeImported } from '@crossfade/catalog/imports/import-file.ts'
import { registryRows } from '@crossfade/catalog/registry.ts'
import { readCatalogDigest, syncRegistry } from '@crossfade/mcp-database/sync-registry.ts'
import { fail } from '@crossfade/model/failure.ts'
import { parseServiceType, type ServiceType, type UserId } from '@crossfade/model/platform-ids.ts'
import type pg from 'pg'
import type { Home } from '../home.ts'
import type { ServedCatalog } from '../served-catalog.ts'
import { type ReadImport, readApart } from './read-apart.ts'

/** Imports of one person, also those for everybody. */
const importsOfUserMax = 50
/** Of the installation: each holds a port and its tools. */
const importsMax = 5_000
/** Imports that wait in this process for the one before. */
const waitingMax = 8

export interface ImportWish {
  readonly text: string
  readonly fileName: string
  readonly serviceType?: string
  readonly audience: 'me' | 'everybody'
  readonly replace: boolean
}

/** Takes services in and away. The caller has made sure that the user may: nothing is asked here but whose a service is. */
export interface ImportKeeper {
  /**
   * Makes a service of an OpenAPI description or a registry's server.json and serves it on every worker: each hears of the changed catalog by the database. Gives its type.
   * Rejects, with nothing served of it, with CF10030, CF10050, CF10051 (the text), CF12038 (the name is taken), CF12039 (imported before, and `replace` doesn't say so), CF12040 (too many).
   */
  take(userId: UserId, wish: ImportWish): Promise<ServiceType>
  /** Takes a service that the user imported from every worker; what was pinned of it is forgotten. Rejects with CF12041 when there is none. */
  remove(userId: UserId, serviceType: ServiceType): Promise<void>
}

/** One at a time in the installation: each takes ports and names that the next must see. `keeper` is a pool of crossfade_mcp_keeper. */
export function createImportKeeper(home: Home, served: ServedCatalog, keeper: pg.Pool): ImportKeeper {
  let last: Promise<unknown> = Promise.resolve()
  let waiting = 0

  /** Runs alone among all workers, on a catalog as fresh as what was imported last. */
  async function alone<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    if (waiting >= waitingMax) throw fail('CF12040', { reason: 'too many wait already' })
    waiting += 1
    const turn = last.then(async () => {
      const client = await keeper.connect()
      let broken: Error | undefined
      try {
        await client.query("SELECT pg_advisory_lock(hashtextextended('crossfade_mcp.imports', 0))")
        await catchUp(client)
        await dropOrphans(client)
        return await work(client)
      } finally {
        await client
          .query("SELECT pg_advisory_unlock(hashtextextended('crossfade_mcp.imports', 0))")
          .catch((trouble: Error) => {
            broken = trouble
          })
        client.release(broken)
      }
    })
    last = turn.catch(() => undefined)
    return turn.finally(() => {
      waiting -= 1
    })
  }

  async function catchUp(client: pg.PoolClient): Promise<void> {
    const digest = await readCatalogDigest(client)
    if (digest !== null && digest !== served.catalog.digest) await served.reload()
  }

  /** Imports of people whose accounts are gone, and those whose worker died before it had written down whose they are. */
  async function dropOrphans(client: pg.PoolClient): Promise<void> {
    const { rows } = await client.query<{ service_type: ServiceType }>(
      `SELECT service_type FROM service_registry r WHERE owner_id IS NOT NULL AND is_available
         AND NOT EXISTS (SELECT FROM service_imports i WHERE i.service_type = r.service_type)`,
    )
    if (rows.length === 0) return
    for (const { service_type: serviceType } of rows)
      rmSync(join(home.servicesDirectory, serviceType), { recursive: true, force: true })
    await serveChanged()
    await client.query('DELETE FROM remote_tool_pins WHERE service_type = ANY ($1)', [
      rows.map(({ service_type: serviceType }) => serviceType),
    ])
  }

  async function serveChanged(): Promise<void> {
    await served.reload()
    await syncRegistry(keeper, registryRows(served.catalog), served.catalog.digest)
  }

  async function ownerOf(client: pg.PoolClient, serviceType: ServiceType): Promise<UserId | null> {
    const { rows } = await client.query<{ user_id: UserId }>(
      'SELECT user_id FROM service_imports WHERE service_type = $1',
      [serviceType],
    )
    return rows[0]?.user_id ?? null
  }

  async function take(client: pg.PoolClient, userId: UserId, wish: ImportWish): Promise<ServiceType> {
    const services = served.catalog.services
    const portsTaken = new Set([...services.values()].map(({ config }) => config.port))
    const isForAll = wish.audience === 'everybody'
    const read = await readApart({
      text: wish.text,
      file: wish.fileName,
      options: {
        portsTaken,
        ...(wish.serviceType === undefined ? {} : { serviceType: wish.serviceType }),
        ...(isForAll ? {} : { owner: userId }),
      },
    })
    const { serviceType } = read.config
    const before = services.get(serviceType)?.config
    const folder = join(home.servicesDirectory, serviceType)
    if (before !== undefined || existsSync(folder)) {
      const isOwn = (await ownerOf(client, serviceType)) === userId
      // An administrator replaces what is for everybody, whoever imported it; nobody what comes with Crossfade.
      const isAdministered = isForAll && before?.owner === undefined && existsSync(folder)
      if (!isOwn && !isAdministered) throw fail('CF12038', { service: serviceType, free: freeName(serviceType) })
      if (!wish.replace) throw fail('CF12039', { service: serviceType })
    } else {
      await refuseTooMany(client, userId)
    }
    writeImported(before === undefined ? read : asBefore(read, before), home.servicesDirectory, { replace: true })
    await serveChanged()
    if (!served.catalog.services.has(serviceType)) {
      const trouble = served.opened.findings.find(({ subject }) => subject === serviceType)
      rmSync(folder, { recursive: true, force: true })
      await serveChanged()
      throw fail('CF10050', { file: wish.fileName, reason: trouble?.message ?? 'no service came of it' })
    }
    await client.query(
      `INSERT INTO service_imports AS i (service_type, user_id, file_name, findings) VALUES ($1, $2, $3, $4)
       ON CONFLICT (service_type) DO UPDATE SET user_id = excluded.user_id, file_name = excluded.file_name,
         findings = excluded.findings, updated_at = now()`,
      [serviceType, userId, wish.fileName, JSON.stringify(read.findings.map(findingAnswer))],
    )
    return serviceType
  }

  function freeName(taken: ServiceType): string {
    for (let number = 2; ; number++) {
      const name = `${taken.slice(0, 44)}-${number}`
      const type = parseServiceType(name)
      if (type === null || !served.catalog.services.has(type)) return name
    }
  }

  return {
    take: (userId, wish) => alone((client) => take(client, userId, wish)),
    remove: (userId, serviceType) =>
      alone(async (client) => {
        if ((await ownerOf(client, serviceType)) !== userId) throw fail('CF12041', { service: serviceType })
        rmSync(join(home.servicesDirectory, serviceType), { recursive: true, force: true })
        await serveChanged()
        // Whoever takes the name next must not meet what was approved of another server.
        await client.query('DELETE FROM remote_tool_pins WHERE service_type = $1', [serviceType])
        await client.query('DELETE FROM service_imports WHERE service_type = $1', [serviceType])
      }),
  }
}

async function refuseTooMany(client: pg.PoolClient, userId: UserId): Promise<void> {
  const { rows } = await client.query<{ own: number; all: number }>(
    'SELECT count(*) FILTER (WHERE user_id = $1)::integer AS own, count(*)::integer AS all FROM service_imports',
    [userId],
  )
  const { own, all } = rows[0]!
  if (own >= importsOfUserMax) throw fail('CF12040', { reason: `you have ${own} imports, as many as there may be` })
  if (all >= importsMax) throw fail('CF12040', { reason: `this installation has ${all} imports already` })
}

/** With the port and the audience of the import that it takes the place of: somebody may have opened the port in a firewall, and others may be connected. */
function asBefore(read: ReadImport, before: ReadImport['config']): ReadImport {
  const { owner: _owner, ...rest } = read.config
  const config = { ...rest, port: before.port, ...(before.owner === undefined ? {} : { owner: before.owner }) }
  const files = read.files.map((file) =>
    file.path.endsWith('/config.json') ? { ...file, content: `${JSON.stringify(config, null, 2)}\n` } : file,
  )
  return { ...read, config, files }
}

function findingAnswer({ severity, reason, pointer, line }: ReadImport['findings'][number]) {
  return { severity, message: `${reason.slice(0, 1).toUpperCase()}${reason.slice(1)}.`, pointer, line }
}
