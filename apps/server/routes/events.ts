import type { JournalEntry, LiveEvent, MigrationService } from '@crossfade/engine/contract.ts'
import { fail } from '@crossfade/model/failure.ts'
import type { MigrationId } from '@crossfade/model/ids.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Api } from '../api.ts'
import { EventStreams, type EventStreamsOptions } from '../event-streams.ts'
import { MigrationParams, problems } from './route-parts.ts'

/** Journal entries read at once for a reader that comes back. */
const missedEntriesMax = 1_000
/** Live events kept while the missed entries are sent; a reader for whom more come is ended and comes back. */
const waitingEventsMax = 10_000
/** A reader is told to come back when live events cannot be had by then. */
const readyMsMax = 10_000

const Resume = Type.Object({
  after: Type.Optional(
    Type.Integer({
      minimum: 0,
      description: 'Send the journal entries after this position first; `Last-Event-ID` does the same.',
    }),
  ),
})
const ResumeHeader = Type.Object({ 'last-event-id': Type.Optional(Type.String({ maxLength: 100 })) })
const description =
  'Each event has the name of its type (`journal`, `progress`, `routing`) and JSON as data. Journal entries carry their position as id, so a reader that comes back with `Last-Event-ID` gets those it missed first, each once and in order; progress and routing tell the present and are not repeated.'
const eventStream = {
  200: { description: 'Live events.', content: { 'text/event-stream': { schema: Type.String() } } },
  ...problems,
}

/** Live events as server-sent events. */
export function eventRoutes(api: Api, service: MigrationService, options: EventStreamsOptions): void {
  const streams = new EventStreams(options)
  const config = { isStream: true }
  api.get(
    '/events',
    {
      config,
      schema: {
        operationId: 'streamEvents',
        tags: ['events'],
        summary: 'Live events of all migrations (server-sent events)',
        description,
        querystring: Resume,
        headers: ResumeHeader,
        response: eventStream,
      },
    },
    (request, reply) => follow(service, streams, request, reply, request.query.after),
  )
  api.get(
    '/migrations/:id/events',
    {
      config,
      schema: {
        operationId: 'streamMigrationEvents',
        tags: ['events'],
        summary: 'Live events of one migration (server-sent events)',
        description,
        params: MigrationParams,
        querystring: Resume,
        headers: ResumeHeader,
        response: eventStream,
      },
    },
    (request, reply) => follow(service, streams, request, reply, request.query.after, request.params.id),
  )
  api.get(
    '/migrations/:id/routing/events',
    {
      config,
      schema: {
        operationId: 'streamRouting',
        tags: ['routing'],
        summary: 'The routing now and each time it changes (server-sent events)',
        params: MigrationParams,
        response: eventStream,
      },
    },
    (request, reply) => followRouting(service, streams, request, reply, request.params.id),
  )
}

/** Sends what was missed since `after` (or `Last-Event-ID`), then what happens; positions only ever grow, and none is left out. */
async function follow(
  service: MigrationService,
  streams: EventStreams,
  request: FastifyRequest,
  reply: FastifyReply,
  after: number | undefined,
  id?: MigrationId,
): Promise<void> {
  const since = lastEventId(request) ?? after
  // While missed entries are sent, live ones wait, so that positions never go backwards.
  const waiting: LiveEvent[] = []
  let take = (event: LiveEvent) => {
    if (waiting.length <= waitingEventsMax) waiting.push(event)
  }
  const subscription = service.subscribe((event) => take(event), id)
  let stream: ReturnType<EventStreams['open']>
  let missed: AsyncIterable<readonly JournalEntry[]>
  try {
    await readyInTime(subscription.ready)
    // Answers for a migration that does not exist while a proper answer is still possible.
    if (id !== undefined) await service.history(id, { limit: 1 })
    const ids = id === undefined ? (await service.list()).map((each) => each.id) : [id]
    missed = since === undefined ? nothing() : missedEntries(service, ids, since)
    stream = streams.open(request, reply, subscription)
  } catch (error) {
    subscription()
    throw error
  }
  let seen = since ?? 0
  const tell = (event: LiveEvent) => {
    if (event.type !== 'journal') stream.send(event.type, event)
    else if (event.entry.position > seen) {
      seen = event.entry.position
      stream.send(event.type, event, seen)
    }
  }
  try {
    for await (const entries of missed) {
      for (const entry of entries) tell({ type: 'journal', migration: entry.migration, entry })
      await stream.drained()
      if (stream.isOver) return
    }
  } catch (error) {
    // Too late for an answer with a code: the reader comes back and goes on from the last entry it saw.
    request.log.warn({ err: error }, 'missed entries could not be read')
    stream.end()
    return
  }
  if (waiting.length > waitingEventsMax) stream.end()
  for (const event of waiting) tell(event)
  take = tell
}

async function followRouting(
  service: MigrationService,
  streams: EventStreams,
  request: FastifyRequest,
  reply: FastifyReply,
  id: MigrationId,
): Promise<void> {
  let epoch = -1
  let stream: ReturnType<EventStreams['open']> | null = null
  const send = (routing: Awaited<ReturnType<MigrationService['routing']>>) => {
    if (routing.epoch <= epoch) return
    epoch = routing.epoch
    stream?.send('routing', routing)
  }
  const held: Parameters<typeof send>[0][] = []
  const subscription = service.subscribe((event) => {
    if (event.type !== 'routing') return
    if (stream) send(event.routing)
    else held.push(event.routing)
  }, id)
  try {
    await readyInTime(subscription.ready)
    // Read once the subscription stands, so that no flip falls between the two.
    held.unshift(await service.routing(id))
    stream = streams.open(request, reply, subscription)
  } catch (error) {
    subscription()
    throw error
  }
  for (const routing of held) send(routing)
}

/** Entries of these migrations after a position, in the order of their positions, page by page. */
async function* missedEntries(
  service: MigrationService,
  ids: readonly MigrationId[],
  after: number,
): AsyncGenerator<readonly JournalEntry[]> {
  let position = after
  for (;;) {
    const pages = await Promise.all(ids.map((id) => service.history(id, { after: position, limit: missedEntriesMax })))
    // A full page says nothing about what comes after it, so the order is certain only up to the first that ends.
    const ends = pages.filter((page) => page.length === missedEntriesMax).map((page) => page.at(-1)!.position)
    const until = Math.min(...ends)
    yield pages
      .flat()
      .filter((entry) => entry.position <= until)
      .sort((one, other) => one.position - other.position)
    if (ends.length === 0) return
    position = until
  }
}

async function* nothing(): AsyncGenerator<never> {}

function lastEventId(request: FastifyRequest): number | undefined {
  const text = request.headers['last-event-id']
  return typeof text === 'string' && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

async function readyInTime(ready: Promise<void>): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const reason = `no live events within ${readyMsMax / 1_000} s`
  const timer = setTimeout(() => reject(fail('CF6003', { reason })), readyMsMax)
  await Promise.race([ready, late]).finally(() => clearTimeout(timer))
}
