import { needInstance, removeInstance } from '@crossfade/mcp/instances/change-instance.ts'
import { auditRefusal } from '@crossfade/mcp/instances/connect.ts'
import { readInstances } from '@crossfade/mcp/instances/instance-record.ts'
import { asUser } from '@crossfade/mcp-database/as-user.ts'
import { audit } from '@crossfade/mcp-database/audit.ts'
import { Failure, fail } from '@crossfade/model/failure.ts'
import { parseServiceType, type ServiceType } from '@crossfade/model/platform-ids.ts'
import type pg from 'pg'
import { Type } from 'typebox'
import { type ApiOptions, actingOf, type GatewayApi } from '../api-parts.ts'
import {
  DecisionSchema,
  ImportBodySchema,
  type Imported,
  ImportedSchema,
  importedToolParams,
  type PinnedTool,
  PinnedToolSchema,
} from '../contract/imports.ts'
import { ServiceTypeSchema } from '../contract/services.ts'
import { problems } from '../contract/vocabulary.ts'
import { admitted } from './admitted.ts'
import { needService } from './answers.ts'

const tags = ['imports']
const params = Type.Object({ serviceType: ServiceTypeSchema })
const done = Type.Null({ description: 'Done.' })
/** Attempts of one person, those too of which nothing came: each is read to its end. */
const attemptsPerHourMax = 60

/** Taking in services of one's own, and deciding on what remote servers change. */
export function importRoutes(api: GatewayApi, options: ApiOptions): void {
  api.get(
    '/imports',
    {
      schema: {
        operationId: 'listImports',
        tags,
        summary: 'What the caller imported, by name',
        response: { 200: Type.Object({ imports: Type.Array(ImportedSchema) }), ...problems },
      },
    },
    async ({ asking }) => ({
      imports: await asUser(options.api, asking!.proof, (client) => readImports(client, options, null)),
    }),
  )

  api.post(
    '/imports',
    {
      schema: {
        operationId: 'importService',
        tags,
        summary: 'Import an OpenAPI document, or a server.json of the MCP registry',
        description:
          'It is served at once, on every worker: to the caller, or by an administrator’s wish to everybody.',
        body: ImportBodySchema,
        response: { 201: ImportedSchema, ...problems },
      },
    },
    async (request, reply) => {
      const { body } = request
      const acting = actingOf(request)
      const { audience = 'me', fileName = 'the import', replace = false, text, serviceType: wished } = body
      const { userId, role } = request.asking!
      if (audience === 'everybody' && role !== 'admin') throw fail('CF12031', { needed: 'the role admin' })
      if (options.imports === null) throw fail('CF12036', { reason: 'it takes in no services' })
      await asUser(options.api, acting.proof, refuseTooManyAttempts)
      const wish = { text, fileName, audience, replace, ...(wished === undefined ? {} : { serviceType: wished }) }
      const serviceType = await options.imports.take(userId, wish).catch(async (error: unknown) => {
        if (error instanceof Failure)
          await auditRefusal(options.api, acting, 'service.import', wished ?? fileName, error)
        throw error
      })
      const imported = await asUser(options.api, acting.proof, async (client) => {
        const details = { fileName, audience, replace }
        await audit(client, {
          action: 'service.import',
          subject: serviceType,
          details,
          outcome: 'done',
          ...from(acting),
        })
        return (await readImports(client, options, serviceType))[0]!
      })
      return reply.status(201).send(imported)
    },
  )

  api.delete(
    '/imports/:serviceType',
    {
      schema: {
        operationId: 'removeImport',
        tags,
        summary: 'Remove an import, and the caller’s instance of it',
        params,
        response: { 204: done, ...problems },
      },
    },
    async (request, reply) => {
      const acting = actingOf(request)
      const { serviceType } = await asUser(options.api, acting.proof, (client) =>
        needImport(client, options, request.params.serviceType),
      )
      const type = serviceType as ServiceType
      await asUser(options.api, acting.proof, async (client) => {
        if ((await readInstances(client, type)).length > 0) await removeInstance(client, type, acting.sourceIp)
        await audit(client, { action: 'service.remove', subject: type, outcome: 'done', ...from(acting) })
      })
      if (options.imports === null) throw fail('CF12036', { reason: 'it takes no services in or away' })
      await options.imports.remove(request.asking!.userId, type)
      return reply.status(204).send(null)
    },
  )

  api.get(
    '/imports/:serviceType/tools',
    {
      schema: {
        operationId: 'listImportedTools',
        tags,
        summary: 'Tools of a remote server: what is served of each, and what waits for approval',
        description: 'Empty until the caller is connected and a client has asked for its tools for the first time.',
        params,
        response: { 200: Type.Object({ tools: Type.Array(PinnedToolSchema) }), ...problems },
      },
    },
    ({ params: { serviceType }, asking }) =>
      asUser(options.api, asking!.proof, async (client) => {
        await needImport(client, options, serviceType)
        return { tools: await readPinnedTools(client, serviceType) }
      }),
  )

  api.post(
    '/imports/:serviceType/tools',
    {
      schema: {
        operationId: 'askForImportedTools',
        tags,
        summary: 'Ask a remote server for its tools now, with the caller’s own key',
        description: 'The first ones are served as they are; what is new or has changed since waits for approval.',
        params,
        response: { 200: Type.Object({ tools: Type.Array(PinnedToolSchema) }), ...problems },
      },
    },
    async ({ params: { serviceType }, asking }) => {
      const { proof, userId } = asking!
      const known = needService(options, serviceType, asking)
      const type = known.config.serviceType
      const { instanceId } = await asUser(options.api, proof, async (client) => {
        await needImport(client, options, serviceType)
        return needInstance(client, type)
      })
      const session = await options.directory.openForUser(instanceId, type, userId)
      await admitted(options, session, () => {
        options.caller.forgetRemote(type)
        return options.caller.serviceFor(session, known)
      })
      return { tools: await asUser(options.api, proof, (client) => readPinnedTools(client, serviceType)) }
    },
  )

  api.post(
    '/imports/:serviceType/tools/:tool/decision',
    {
      schema: {
        operationId: 'decideOnTool',
        tags,
        summary: 'Approve a definition that waits, or take an approval back; on every worker at once',
        params: importedToolParams,
        body: DecisionSchema,
        response: { 204: done, ...problems },
      },
    },
    async (request, reply) => {
      const { serviceType, tool } = request.params
      const { decision, digest } = request.body
      const acting = actingOf(request)
      await asUser(options.api, acting.proof, async (client) => {
        await needImport(client, options, serviceType)
        const { rows } = await client.query<{ is_done: boolean }>(
          decision === 'approve'
            ? 'SELECT approve_own_remote_tool($1, $2, $3) AS is_done'
            : 'SELECT quarantine_own_remote_tool($1, $2, $3) AS is_done',
          [serviceType, tool, digest],
        )
        if (!rows[0]?.is_done) throw fail('CF12042', { tool })
        const details = { tool, digest }
        await audit(client, {
          action: `tool.${decision}`,
          subject: serviceType,
          details,
          outcome: 'done',
          ...from(acting),
        })
      })
      return reply.status(204).send(null)
    },
  )
}

function from({ sourceIp }: ReturnType<typeof actingOf>): { sourceIp?: string } {
  return sourceIp === undefined ? {} : { sourceIp }
}

/** Counted in the audit log, so that all workers count together. */
async function refuseTooManyAttempts(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ attempts: number }>(
    `SELECT count(*)::integer AS attempts FROM audit_log
     WHERE user_id = current_user_id() AND action = 'service.import' AND at > now() - interval '1 hour'`,
  )
  if (rows[0]!.attempts >= attemptsPerHourMax)
    throw fail('CF12040', { reason: `you have imported ${attemptsPerHourMax} times within an hour` })
}

interface ImportRow {
  readonly service_type: string
  readonly file_name: string
  readonly findings: Imported['findings']
  readonly imported_at: Date
  readonly updated_at: Date
  readonly display_name: string
  readonly instance_id: string | null
  readonly waiting: number | null
}

async function needImport(client: pg.ClientBase, options: ApiOptions, serviceType: string): Promise<Imported> {
  const type = parseServiceType(serviceType)
  const found = type === null ? undefined : (await readImports(client, options, type))[0]
  if (!found) throw fail('CF12041', { service: serviceType })
  return found
}

async function readImports(
  client: pg.ClientBase,
  { catalog }: Pick<ApiOptions, 'catalog'>,
  serviceType: ServiceType | null,
): Promise<Imported[]> {
  const { rows } = await client.query<ImportRow>(
    `SELECT i.service_type, i.file_name, i.findings, i.imported_at, i.updated_at, r.display_name, u.instance_id, w.waiting
     FROM service_imports i
     JOIN service_registry r ON r.service_type = i.service_type
     LEFT JOIN user_service_instances u ON u.service_type = i.service_type AND u.user_id = current_user_id()
     LEFT JOIN count_own_waiting_tools() w ON w.service_type = i.service_type
     WHERE i.user_id = current_user_id() AND ($1::text IS NULL OR i.service_type = $1)
     ORDER BY lower(r.display_name), i.service_type`,
    [serviceType],
  )
  return rows.map((row) => {
    const service = catalog().services.get(row.service_type as ServiceType)
    return {
      serviceType: row.service_type,
      displayName: row.display_name,
      kind: service?.config.source.kind === 'remote-mcp' ? 'remote-mcp' : 'openapi-file',
      audience: service?.config.owner === undefined ? 'everybody' : 'me',
      fileName: row.file_name,
      listedTools: service?.listed.length ?? 0,
      operations: service?.operationCount ?? 0,
      findings: row.findings,
      importedAt: row.imported_at.toISOString(),
      updatedAt: row.updated_at.toISOString(),
      waitingTools: row.waiting ?? 0,
      instanceId: row.instance_id,
    }
  })
}

interface PinRow {
  readonly tool_name: string
  readonly digest: string
  readonly state: 'pinned' | 'quarantined'
  readonly definition: Record<string, unknown>
  readonly first_seen: Date
  readonly changed_at: Date
}

/** One entry for each tool; those that wait for a decision first. */
async function readPinnedTools(client: pg.ClientBase, serviceType: string): Promise<PinnedTool[]> {
  const { rows } = await client.query<PinRow>('SELECT * FROM list_own_remote_tools($1)', [serviceType])
  const tools = new Map<string, PinnedTool>()
  for (const row of rows) {
    const tool = tools.get(row.tool_name) ?? { name: row.tool_name, approved: null, waiting: null }
    const { digest, definition } = row
    if (row.state === 'pinned') tool.approved = { digest, definition, since: row.changed_at.toISOString() }
    else tool.waiting = { digest, definition, since: row.changed_at.toISOString() }
    tools.set(row.tool_name, tool)
  }
  return [...tools.values()].sort(
    (one, other) => Number(other.waiting !== null) - Number(one.waiting !== null) || one.name.localeCompare(other.name),
  )
}
