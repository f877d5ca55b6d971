import type { LiveEvent, MigrationService } from '@crossfade/engine/contract.ts'
import type { MigrationId } from '@crossfade/model/ids.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Api } from '../server.ts'
import { MigrationParams } from './migrations.ts'

/** A comment line this often keeps proxies from closing a quiet stream. */
const heartbeatMs = 15_000
/** A reader that is this far behind is cut off; it comes back with `Last-Event-ID` and reads what it missed. */
const unsentBytesMax = 4 * 1024 * 1024
/** Journal entries read at once for a reader that comes back. */
const missedEntriesMax = 1_000

/**
 * Live events as server-sent events. Journal entries carry their position as id, so a reader that comes back with `Last-Event-ID`
 * gets what it missed first; progress and routing events tell the present and are not repeated.
 */
export function eventRoutes(api: Api, service: MigrationService): void {
  api.get(
    '/events',
    {
      schema: {
        operationId: 'streamEvents',
        tags: ['events'],
        summary: 'Live events of all migrations (server-sent events)',
        produces: ['text/event-stream'],
      },
    },
    (request, reply) => stream(request, reply, service, undefined),
  )
  api.get(
    '/migrations/:id/events',
    {
      schema: {
        operationId: 'streamMigrationEvents',
        tags: ['events'],
        summary: 'Live events of one migration (server-sent events)',
        params: MigrationParams,
        produces: ['text/event-stream'],
      },
    },
    (request, reply) => stream(request, reply, service, request.params.id),
  )
  api.get(
    '/migrations/:id/routing/events',
    {
      schema: {
        operationId: 'streamRouting',
        tags: ['routing'],
        summary: 'The routing now and each time it changes (server-sent events)',
        params: MigrationParams,
        produces: ['text/event-stream'],
      },
    },
    async (request, reply) => {
      const { id } = request.params
      const send = open(request, reply)
      const close = service.subscribe((event) => {
        if (event.type === 'routing') send('routing', event.routing)
      }, id)
      request.raw.on('close', close)
      // Read after subscribing, so that no flip falls between the two.
      send('routing', await service.routing(id))
    },
  )
}

async function stream(
  request: FastifyRequest,
  reply: FastifyReply,
  service: MigrationService,
  id: MigrationId | undefined,
): Promise<void> {
  const send = open(request, reply)
  const sendEvent = (event: LiveEvent) =>
    send(event.type, event, event.type === 'journal' ? event.entry.position : undefined)
  const last = Number(request.headers['last-event-id'])
  // While missed entries are read, live ones wait, so that positions never go backwards.
  let waiting: LiveEvent[] | null = []
  const close = service.subscribe((event) => (waiting ? waiting.push(event) : sendEvent(event)), id)
  request.raw.on('close', close)
  let seen = 0
  if (id !== undefined && Number.isSafeInteger(last) && last > 0) {
    for (const entry of await service.history(id, { after: last, limit: missedEntriesMax })) {
      sendEvent({ type: 'journal', migration: id, entry })
      seen = entry.position
    }
  }
  for (const event of waiting) if (event.type !== 'journal' || event.entry.position > seen) sendEvent(event)
  waiting = null
}

/** Answers with an event stream and gives the function that writes to it. */
function open(request: FastifyRequest, reply: FastifyReply): (name: string, data: unknown, id?: number) => void {
  reply.hijack()
  const response = reply.raw
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  })
  response.write('retry: 1000\n\n')
  const heartbeat = setInterval(() => response.write(': still here\n\n'), heartbeatMs)
  request.raw.on('close', () => clearInterval(heartbeat))
  return (name, data, id) => {
    if (response.destroyed) return
    if (response.writableLength > unsentBytesMax) {
      response.destroy()
      return
    }
    response.write(`${id === undefined ? '' : `id: ${id}\n`}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`)
  }
}
