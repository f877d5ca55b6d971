import { fail } from '@crossfade/model/failure.ts'

/** A message of the server is at most this long (PostgreSQL's own limit on one allocation); more means that we lost step. */
const messageBytesMax = 1 << 30

/** Several messages of CopyData that arrived together, where they lie. The bytes are never reused, so whoever holds some of them holds them all. */
export interface WalBlock {
  readonly bytes: Buffer
  /** Start and end of each payload in `bytes`, one after the other. */
  readonly frames: readonly number[]
}

/** The messages that are not CopyData; few, so each is given on its own. */
export interface ControlMessage {
  /** The protocol's letter for it, as a byte. */
  readonly kind: number
  readonly body: Buffer
}

export type FramePart = { readonly block: WalBlock } | { readonly control: ControlMessage }

/**
 * Cuts what a socket delivers into the messages of PostgreSQL's protocol. `pg`'s own parser can't serve here: it reuses its buffer, so that
 * rows which are held would change under their holder, and it makes an event of every row.
 */
export class Framer {
  /** The beginning of a message whose end has not arrived. */
  #parts: Buffer[] = []
  #partsBytes = 0
  /** How many bytes are needed before looking again makes sense. */
  #needed = 0

  /** Gives what is complete, in order. Throws CF3010 when it can't be the protocol. */
  push(chunk: Buffer): FramePart[] {
    const bytes = this.#join(chunk)
    if (bytes === null) return []
    const parts: FramePart[] = []
    const end = bytes.length
    let frames: number[] = []
    let position = 0
    let length = 0
    while (end - position >= 5) {
      length = bytes.readUInt32BE(position + 1)
      if (length < 4 || length > messageBytesMax)
        throw fail('CF3010', { reason: `its length ${length} is impossible`, offset: 1 })
      const next = position + 1 + length
      if (next > end) break
      const kind = bytes[position]!
      if (kind === 0x64) {
        frames.push(position + 5, next)
      } else {
        if (frames.length > 0) parts.push({ block: { bytes, frames } })
        frames = []
        parts.push({ control: { kind, body: bytes.subarray(position + 5, next) } })
      }
      position = next
    }
    if (frames.length > 0) parts.push({ block: { bytes, frames } })
    if (position < end) this.#keep(bytes.subarray(position), end - position >= 5 ? 1 + length : 5)
    return parts
  }

  #join(chunk: Buffer): Buffer | null {
    if (this.#parts.length === 0) return chunk
    this.#parts.push(chunk)
    this.#partsBytes += chunk.length
    if (this.#partsBytes < this.#needed) return null
    const joined = Buffer.concat(this.#parts, this.#partsBytes)
    this.#parts = []
    return joined
  }

  #keep(rest: Buffer, needed: number): void {
    this.#parts = [rest]
    this.#partsBytes = rest.length
    this.#needed = needed
  }
}
