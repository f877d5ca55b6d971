import type { EventId, EventStore, JSONRPCMessage, StreamId } from '@modelcontextprotocol/server'

/** What a session keeps for clients that come back: events, and characters of them. */
const eventsMax = 200
const eventCharactersMax = 1_000_000

/** The last events of one session's streams, in memory. The oldest are forgotten: a client that comes back too late starts anew. */
export class EventLog implements EventStore {
  readonly #events = new Map<EventId, { streamId: StreamId; message: JSONRPCMessage; characters: number }>()
  #characters = 0
  #count = 0

  async storeEvent(streamId: StreamId, message: JSONRPCMessage): Promise<EventId> {
    const id = `${++this.#count}`
    const characters = JSON.stringify(message).length
    this.#events.set(id, { streamId, message, characters })
    this.#characters += characters
    for (const [oldest, event] of this.#events) {
      if (oldest === id || (this.#events.size <= eventsMax && this.#characters <= eventCharactersMax)) break
      this.#events.delete(oldest)
      this.#characters -= event.characters
    }
    return id
  }

  async getStreamIdForEventId(id: EventId): Promise<StreamId | undefined> {
    return this.#events.get(id)?.streamId
  }

  async replayEventsAfter(
    lastId: EventId,
    { send }: { send: (id: EventId, message: JSONRPCMessage) => Promise<void> },
  ): Promise<StreamId> {
    const last = this.#events.get(lastId)
    if (last === undefined) throw new Error('The event is not known any more.')
    let isAfter = false
    for (const [id, { streamId, message }] of [...this.#events]) {
      // A priming event is an empty message: it only gives the stream an id to come back with.
      if (isAfter && streamId === last.streamId && Object.keys(message).length > 0) await send(id, message)
      if (id === lastId) isAfter = true
    }
    return last.streamId
  }
}
