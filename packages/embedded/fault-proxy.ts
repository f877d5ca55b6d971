// A TCP proxy that misbehaves on request, to stand between a client and a database in tests.

import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

const loopback = '127.0.0.1'
/** Bandwidth limits hand bytes out in slices of this length. */
const sliceMs = 20

export interface FaultProxyOptions {
  target: { host: string; port: number }
  /** Default: a free one. */
  port?: number
}

/** All faults hold for connections that exist and for those to come, until `restore`. */
export interface FaultProxy {
  readonly host: string
  readonly port: number
  /** Open connections right now. */
  readonly connections: number
  /** Drops every connection with a reset and refuses new ones. */
  cut(): void
  /** Drops every connection once with a reset; new ones work. */
  cutOnce(): void
  /** Ends every fault. Connections that were swallowed or cut stay lost; delayed bytes are delivered. */
  restore(): void
  /** Holds every byte for this long, in both directions. Order is kept. */
  delay(ms: number): void
  /** Takes bytes and connections and delivers nothing, without closing: as a host does that vanished. */
  blackhole(): void
  /** Delivers what the client sends but swallows what the target answers: the client can't know what happened. */
  halfOpen(): void
  /** Limits each direction of each connection. */
  limitBytesPerSecond(bytes: number): void
  /** Cuts, as `cut` does, when this many bytes have come from the target: counted from now, over all connections. */
  cutAfterBytes(bytes: number): void
  /** Points new connections at another target. */
  retarget(target: { host: string; port: number }): void
  /** Drops everything and stops listening. Idempotent. */
  close(): Promise<void>
}

type Direction = 'toTarget' | 'toClient'

/** Starts a proxy in front of `target`; without faults it passes everything on untouched. */
export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const proxy = new TcpProxy(options.target)
  await proxy.listen(options.port ?? 0)
  return proxy
}

interface Faults {
  refuse: boolean
  swallow: Record<Direction, boolean>
  delayMs: number
  bytesPerSecond: number
  bytesUntilCut: number
}

class TcpProxy implements FaultProxy {
  readonly host = loopback
  readonly #links = new Set<Link>()
  readonly #server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client))
  #faults: Faults = noFaults()
  #target: FaultProxyOptions['target']
  #port = 0

  constructor(target: FaultProxyOptions['target']) {
    this.#target = target
  }

  get port(): number {
    return this.#port
  }

  get connections(): number {
    return this.#links.size
  }

  async listen(port: number): Promise<void> {
    this.#server.listen(port, loopback)
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as { port: number }).port
  }

  cut(): void {
    this.#faults.refuse = true
    this.cutOnce()
  }

  cutOnce(): void {
    for (const link of this.#links) link.reset()
  }

  restore(): void {
    // A swallowed stream has a hole; letting it go on would corrupt it.
    const { toTarget, toClient } = this.#faults.swallow
    if (toTarget || toClient) this.cutOnce()
    Object.assign(this.#faults, noFaults())
  }

  delay(ms: number): void {
    this.#faults.delayMs = ms
  }

  blackhole(): void {
    this.#faults.swallow = { toTarget: true, toClient: true }
  }

  halfOpen(): void {
    this.#faults.swallow = { toTarget: false, toClient: true }
  }

  limitBytesPerSecond(bytes: number): void {
    this.#faults.bytesPerSecond = bytes
  }

  cutAfterBytes(bytes: number): void {
    this.#faults.bytesUntilCut = bytes
  }

  retarget(target: FaultProxyOptions['target']): void {
    this.#target = target
  }

  async close(): Promise<void> {
    this.cutOnce()
    if (!this.#server.listening) return
    this.#server.close()
    await once(this.#server, 'close')
  }

  #accept(client: Socket): void {
    if (this.#faults.refuse) {
      client.resetAndDestroy()
      return
    }
    const target = connect({ ...this.#target, allowHalfOpen: true })
    const link = new Link(client, target, this.#faults, () => this.cut())
    this.#links.add(link)
    void link.ended.then(() => this.#links.delete(link))
  }
}

/** One client connection and its connection to the target. */
class Link {
  readonly ended: Promise<void>
  readonly #client: Socket
  readonly #target: Socket

  constructor(client: Socket, target: Socket, faults: Faults, cut: () => void) {
    this.#client = client
    this.#target = target
    client.setNoDelay(true)
    target.setNoDelay(true)
    let open = 2
    this.ended = new Promise((resolve) => {
      for (const socket of [client, target]) {
        // What went wrong on one side becomes a reset on the other.
        socket.on('error', () => this.reset())
        socket.on('close', (hadError) => {
          if (hadError) this.reset()
          open -= 1
          if (open === 0) resolve()
        })
      }
    })
    this.#relay(client, target, 'toTarget', faults, cut).catch(() => this.reset())
    this.#relay(target, client, 'toClient', faults, cut).catch(() => this.reset())
  }

  reset(): void {
    for (const socket of [this.#client, this.#target]) {
      if (socket.connecting || socket.destroyed) socket.destroy()
      else socket.resetAndDestroy()
    }
  }

  async #relay(from: Socket, to: Socket, direction: Direction, faults: Faults, cut: () => void): Promise<void> {
    const queue = new Delay(to, faults)
    for await (const chunk of from as AsyncIterable<Buffer>) {
      if (faults.swallow[direction]) continue
      if (direction === 'toClient') {
        const allowed = faults.bytesUntilCut
        faults.bytesUntilCut -= chunk.length
        if (faults.bytesUntilCut <= 0) {
          if (allowed > 0) await queue.write(chunk.subarray(0, allowed))
          cut()
          return
        }
      }
      await this.#paced(chunk, queue, faults)
    }
    await queue.end()
  }

  async #paced(chunk: Buffer, queue: Delay, faults: Faults): Promise<void> {
    let rest = chunk
    while (faults.bytesPerSecond !== Number.POSITIVE_INFINITY && rest.length > 0) {
      const slice = Math.max(1, Math.floor((faults.bytesPerSecond * sliceMs) / 1000))
      await queue.write(rest.subarray(0, slice))
      rest = rest.subarray(slice)
      await pause(Math.max(sliceMs, 1000 / faults.bytesPerSecond))
    }
    if (rest.length > 0) await queue.write(rest)
  }
}

/** Holds what is written for the proxy's delay, in order; the reader goes on meanwhile unless the socket is full. */
class Delay {
  readonly #to: Socket
  readonly #faults: Faults
  #last: Promise<void> = Promise.resolve()

  constructor(to: Socket, faults: Faults) {
    this.#to = to
    this.#faults = faults
  }

  async write(chunk: Buffer): Promise<void> {
    const { delayMs } = this.#faults
    const due = delayMs > 0 ? pause(delayMs) : undefined
    this.#last = this.#last.then(() => due).then(() => this.#deliver(chunk))
    if (due === undefined || this.#to.writableNeedDrain) await this.#last
  }

  async end(): Promise<void> {
    await this.#last
    this.#to.end()
  }

  async #deliver(chunk: Buffer): Promise<void> {
    if (!this.#to.destroyed && !this.#to.write(chunk)) await drained(this.#to)
  }
}

/** Resolves when the socket takes more, or never will. */
function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off('drain', done)
      socket.off('close', done)
      resolve()
    }
    socket.on('drain', done)
    socket.on('close', done)
  })
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref())
}

function noFaults(): Faults {
  return {
    refuse: false,
    swallow: { toTarget: false, toClient: false },
    delayMs: 0,
    bytesPerSecond: Number.POSITIVE_INFINITY,
    bytesUntilCut: Number.POSITIVE_INFINITY,
  }
}
