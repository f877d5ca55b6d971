import type { Socket } from 'node:net'
import { systemClock } from '@crossfade/model/clock.ts'
import { type Failure, fail } from '@crossfade/model/failure.ts'
import { asLsn, type Lsn, maxLsn, zeroLsn } from '@crossfade/model/lsn.ts'
import { type ControlMessage, Framer, type WalBlock } from './frames.ts'
import { type ReplicationSubject, replicationFailure } from './replication-failure.ts'
import { readServerError, type ServerError } from './server-error.ts'

/** Bytes that arrived and were not taken yet; above this the socket is not read, so that the server waits. */
export const bufferedBytesMax = 16 * 1024 * 1024
/** At least this often the server is told where we are; more often when its own time limit asks for it. */
export const statusIntervalMs = 10_000
/** An acknowledgement is told after this long, so that many small ones become one message. */
const statusDelayMs = 100
/** A consumer that takes nothing for this long while the socket is paused is given up: a server that stops would wait for it. */
export const consumerIdleMsMax = 60_000
/** A server that asks this often for an answer within one second, though each was answered, is stopping and waits for us. */
const repliesPerSecondMax = 20
/** How long a clean end may take before the socket is closed. */
const stopTimeoutMs = 5_000

const xLogData = 0x77
const keepalive = 0x6b

/** Bytes before the logical message in an XLogData payload. */
export const xLogHeaderBytes = 25

/** What is told to the server: how far everything was written, made durable, and applied. Only `flushed` lets it drop log. */
export interface WalStatus {
  readonly flushed: Lsn
  readonly applied: Lsn
}

export interface WalStreamOptions {
  readonly subject: ReplicationSubject
  /** The server's wal_sender_timeout; 0 when it has none. It gives us up after that silence, so we give it up too. */
  readonly walSenderTimeoutMs: number
  readonly signal?: AbortSignal | undefined
  readonly bufferedBytesMax?: number
}

/**
 * A running replication stream. It owns the socket: reads it only as fast as blocks are taken, answers keepalives whatever the consumer does.
 *
 * Blocks rather than single messages: a promise for every row would cost more than decoding it (see bench/decode.ts).
 */
export class WalStream {
  readonly #socket: Socket
  readonly #options: WalStreamOptions
  readonly #bytesMax: number
  readonly #framer = new Framer()
  readonly #blocks: WalBlock[] = []
  #buffered = 0
  #paused = false
  #waiter: { resolve(block: WalBlock | null): void; reject(error: unknown): void } | null = null
  /** Why there will be no more blocks; `null` after a clean stop. */
  #ended: { readonly error: unknown } | null = null
  /** Resolves when the server has agreed to stream, rejects when it refuses. */
  readonly started: Promise<void>
  #onStarted: (() => void) | null = null
  #onRefused: ((error: unknown) => void) | null = null
  #stopping: Promise<void> | null = null
  #onStopped: (() => void) | null = null
  #received: Lsn = zeroLsn
  /** What the server has said to have passed. It only volunteers a keepalive while we claim to have less than that. */
  #keptAlive: Lsn = zeroLsn
  #status: WalStatus = { flushed: zeroLsn, applied: zeroLsn }
  #receivedAtMs = systemClock.now()
  #takenAtMs = systemClock.now()
  #replies = 0
  #repliesSinceMs = 0
  #statusTimer: NodeJS.Timeout | null = null
  readonly #timer: NodeJS.Timeout

  /** `socket` has just been sent START_REPLICATION and nothing else listens to its data. */
  constructor(socket: Socket, options: WalStreamOptions) {
    this.#socket = socket
    this.#options = options
    this.#bytesMax = options.bufferedBytesMax ?? bufferedBytesMax
    this.started = new Promise((resolve, reject) => {
      this.#onStarted = resolve
      this.#onRefused = reject
    })
    this.started.catch(() => {})
    socket.on('data', (chunk: Buffer) => this.#onData(chunk))
    socket.on('error', (error) => this.#end(replicationFailure(options.subject, error)))
    socket.on('close', () => this.#end(this.#lost('the connection was closed')))
    const { walSenderTimeoutMs } = options
    this.#timer = setInterval(
      () => this.#tick(),
      walSenderTimeoutMs > 0 ? Math.min(statusIntervalMs, walSenderTimeoutMs / 3) : statusIntervalMs,
    )
    options.signal?.addEventListener('abort', this.#onAbort, { once: true })
    if (options.signal?.aborted) this.#onAbort()
  }

  /** The furthest place that the server told of, whether or not its messages were taken. */
  get received(): Lsn {
    return this.#received
  }

  /** Bytes that arrived and were not taken. */
  get buffered(): number {
    return this.#buffered
  }

  /** The next messages; null after `stop`. What arrived before the connection broke is given before this rejects. One call at a time. */
  next(): Promise<WalBlock | null> {
    this.#takenAtMs = systemClock.now()
    const block = this.#blocks.shift()
    if (block !== undefined) {
      this.#buffered -= block.bytes.length
      if (this.#paused && this.#buffered <= this.#bytesMax / 2) this.#resume()
      return Promise.resolve(block)
    }
    if (this.#ended !== null)
      return this.#ended.error === null ? Promise.resolve(null) : Promise.reject(this.#ended.error as Error)
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject }
    })
  }

  /** Told to the server within `statusDelayMs`. Positions never go back. */
  setStatus(status: WalStatus): void {
    const { flushed, applied } = this.#status
    this.#status = {
      flushed: maxLsn(flushed, status.flushed),
      applied: maxLsn(applied, status.applied),
    }
    const told = this.#status.flushed === flushed && this.#status.applied === applied
    if (!told && this.#ended === null) this.#statusTimer ??= setTimeout(() => this.#sendStatus(false), statusDelayMs)
  }

  /** Ends the stream as the protocol asks for, and closes the connection. Messages that were not taken are dropped. Idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    if (this.#ended !== null) return
    this.#blocks.length = 0
    this.#buffered = 0
    this.#sendStatus(false)
    const stopped = new Promise<void>((resolve) => {
      this.#onStopped = resolve
    })
    this.#socket.write(Buffer.from([0x63, 0, 0, 0, 4]))
    if (this.#paused) this.#resume()
    const timer = setTimeout(() => this.#socket.destroy(), stopTimeoutMs)
    await stopped
    this.#socket.end(Buffer.from([0x58, 0, 0, 0, 4]))
    this.#socket.once('close', () => clearTimeout(timer))
    this.#end(null)
  }

  #onData(chunk: Buffer): void {
    this.#receivedAtMs = systemClock.now()
    try {
      for (const part of this.#framer.push(chunk)) {
        if ('control' in part) this.#onControl(part.control)
        else if (this.#ended === null) this.#onBlock(part.block)
      }
    } catch (error) {
      this.#end(error)
    }
  }

  #onBlock(block: WalBlock): void {
    const { bytes, frames } = block
    for (let i = 0; i < frames.length; i += 2) this.#look(bytes, frames[i]!, frames[i + 1]!)
    const last = asLsn(bytes.readBigUInt64BE(frames.at(-2)! + 1))
    if (last > this.#received) this.#received = last
    if (this.#onStopped !== null) return
    if (this.#waiter !== null) {
      const { resolve } = this.#waiter
      this.#waiter = null
      resolve(block)
      return
    }
    this.#blocks.push(block)
    this.#buffered += bytes.length
    if (this.#buffered > this.#bytesMax && !this.#paused) {
      this.#paused = true
      this.#socket.pause()
    }
  }

  /** Keeps track of the position and answers at once when asked, however far behind the consumer is. */
  #look(bytes: Buffer, start: number, end: number): void {
    const kind = bytes[start]
    if (kind === xLogData && end - start >= xLogHeaderBytes) return
    if (kind !== keepalive || end - start !== 18)
      throw fail('CF3010', { reason: `a frame of kind ${kind} has ${end - start} bytes`, offset: 0 })
    const lsn = asLsn(bytes.readBigUInt64BE(start + 1))
    if (lsn > this.#keptAlive) this.#keptAlive = lsn
    if (bytes[start + 17] === 1) this.#answer()
  }

  #answer(): void {
    const now = systemClock.now()
    if (now - this.#repliesSinceMs > 1_000) {
      this.#repliesSinceMs = now
      this.#replies = 0
    }
    this.#replies += 1
    // A stopping server asks again and again until everything is confirmed. It must not wait for a slow target: it is the live system.
    if (this.#replies > repliesPerSecondMax) this.#end(this.#lost('the server is stopping'))
    else this.#sendStatus(false)
  }

  #onControl({ kind, body }: ControlMessage): void {
    switch (kind) {
      case 0x45: // ErrorResponse
        this.#end(replicationFailure(this.#options.subject, readServerError(body)))
        break
      case 0x4e: // NoticeResponse
        this.#onNotice(readServerError(body))
        break
      case 0x57: // CopyBothResponse
        this.#onStarted?.()
        break
      case 0x63: // CopyDone
        if (this.#onStopped === null) this.#end(this.#lost('the server ended it'))
        break
      case 0x5a: // ReadyForQuery
        this.#onStopped?.()
    }
  }

  /** From version 18 on a server goes on without a publication that is gone: with a warning, and without the changes. */
  #onNotice(notice: ServerError): void {
    const { shard, publication } = this.#options.subject
    if (notice.code === '55000' && /publication/i.test(notice.routine ?? ''))
      this.#end(fail('CF3015', { shard, publication }, notice))
  }

  #tick(): void {
    const { walSenderTimeoutMs } = this.#options
    const now = systemClock.now()
    if (this.#paused && now - this.#takenAtMs > consumerIdleMsMax) {
      this.#end(this.#lost(`nothing was taken from it for ${consumerIdleMsMax} ms`))
    } else if (!this.#paused && walSenderTimeoutMs > 0 && now - this.#receivedAtMs > walSenderTimeoutMs) {
      this.#end(this.#lost(`the server has been silent for ${walSenderTimeoutMs} ms`))
    } else {
      this.#sendStatus(true)
    }
  }

  /** Standby status update. `reply` asks for a keepalive, which tells us that the server lives and how far it is. */
  #sendStatus(reply: boolean): void {
    this.#clearStatusTimer()
    if (this.#socket.destroyed || !this.#socket.writable) return
    const { flushed, applied } = this.#status
    const written = maxLsn(this.#keptAlive, flushed)
    const message = Buffer.alloc(39)
    message[0] = 0x64
    message.writeUInt32BE(38, 1)
    message[5] = 0x72
    message.writeBigUInt64BE(written, 6)
    message.writeBigUInt64BE(flushed, 14)
    message.writeBigUInt64BE(applied, 22)
    message.writeBigInt64BE(BigInt(systemClock.now() - 946_684_800_000) * 1000n, 30)
    message[38] = reply ? 1 : 0
    this.#socket.write(message)
  }

  #clearStatusTimer(): void {
    if (this.#statusTimer !== null) clearTimeout(this.#statusTimer)
    this.#statusTimer = null
  }

  #resume(): void {
    this.#paused = false
    this.#socket.resume()
  }

  readonly #onAbort = () => this.#end(this.#options.signal!.reason)

  #end(error: unknown): void {
    if (this.#ended !== null) return
    this.#ended = { error }
    clearInterval(this.#timer)
    this.#clearStatusTimer()
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
    if (error === this.#options.signal?.reason) this.#blocks.length = 0
    if (error !== null) this.#socket.destroy()
    this.#onStopped?.()
    this.#onRefused?.(error)
    const waiter = this.#waiter
    this.#waiter = null
    if (error === null) waiter?.resolve(null)
    else waiter?.reject(error)
  }

  #lost(reason: string): Failure {
    return fail('CF3011', { shard: this.#options.subject.shard, reason })
  }
}
