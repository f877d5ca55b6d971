export interface ServerEvent {
  readonly event: string
  readonly data: string
}

/** One event may not be larger than this many characters. */
export const eventCharactersMax = 64 * 1024 * 1024

/** Reads `text/event-stream` (WHATWG) from pieces that are cut anywhere. */
export class EventStreamParser {
  readonly #decoder = new TextDecoder()
  #rest = ''
  #event = ''
  #data: string[] = []

  /** The events that are complete with this piece. Throws a RangeError when one outgrows `eventCharactersMax`. */
  push(piece: Uint8Array): ServerEvent[] {
    this.#rest += this.#decoder.decode(piece, { stream: true })
    if (this.#rest.length > eventCharactersMax) throw new RangeError('an event of the stream is too large')
    const events: ServerEvent[] = []
    // A carriage return at the very end may be the first half of a line's end.
    const lines = this.#rest.split(/\r\n|\n|\r(?!$)/)
    this.#rest = lines.pop()!
    for (const line of lines) {
      if (line === '') this.#dispatch(events)
      else this.#field(line)
    }
    return events
  }

  #dispatch(events: ServerEvent[]): void {
    if (this.#data.length > 0) events.push({ event: this.#event || 'message', data: this.#data.join('\n') })
    this.#event = ''
    this.#data = []
  }

  #field(line: string): void {
    const colon = line.indexOf(':')
    const name = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (name === 'event') this.#event = value
    else if (name === 'data') this.#data.push(value)
  }
}
