import type { Socket } from 'node:net'
import type { ClientBase } from 'pg'

/** Message types of PostgreSQL's protocol that a copy meets. */
export const copyData = 0x64
export const copyDone = 0x63
export const errorResponse = 0x45
/** A message's type and length. */
export const headerBytes = 5

/** What `pg` gives to a query's `submit`: its socket, and the way to send a simple query. */
export interface WireConnection {
  readonly stream: Socket
  query(text: string): void
  sendCopyFail(reason: string): void
}

/** What `pg` asks of an object given to `client.query` (its submittable interface), as far as copies need it. */
export interface WireQuery {
  submit(connection: WireConnection): void
  handleError(error: Error): void
  handleCommandComplete(message: { readonly text: string }): void
  handleReadyForQuery(): void
}

/** Queues a query that speaks the protocol itself. */
export function submit(client: ClientBase, query: WireQuery): void {
  ;(client as unknown as { query(query: WireQuery): void }).query(query)
}

/** The number of rows in a command tag such as `COPY 17`. */
export function rowsOfTag(tag: string): number {
  const match = /^COPY (\d+)/.exec(tag)
  return match ? Number(match[1]) : 0
}

/** A message's length field, which counts itself but not the type. */
export function readLength(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}
