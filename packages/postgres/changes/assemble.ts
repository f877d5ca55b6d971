import { fail } from '@crossfade/model/failure.ts'
import type { MigrationId } from '@crossfade/model/ids.ts'
import { type Lsn, minLsn, zeroLsn } from '@crossfade/model/lsn.ts'
import { PgoutputDecoder } from './decode.ts'
import { epochMs, type PgoutputMessage, type Relation } from './message.ts'
import { LogSpace, type LogSpaceOptions, OpenTransactionLog } from './open-transaction-log.ts'
import { PieceCutter, type PieceLimits, type TransactionHeader } from './piece-cutter.ts'
import { type FollowedTable, RelationShapes } from './relation-shapes.ts'
import type { StreamEvent } from './transaction.ts'

/** Prefix of the logical message by which an applier marks what it writes; its content is the migration. */
export const appliedMark = 'crossfade.applied'

export const pieceRowsMax = 5_000
export const pieceBytesMax = 4 * 1024 * 1024

export interface AssemblerOptions {
  /** Transactions that carry this migration's mark were written by an applier of ours: they are dropped. */
  readonly migration: MigrationId
  readonly tables: readonly FollowedTable[]
  readonly limits?: Partial<PieceLimits>
  readonly openTransactions?: LogSpaceOptions
}

type Prepared = { readonly log: OpenTransactionLog; readonly prepareLsn: Lsn }

/**
 * Makes committed transactions, in commit order, of the messages of one replication session. Feed it with `accept`, `keepalive` and `endOfBlock`, and
 * before each of these calls empty it with `take`: a large transaction that had been kept on disk is read piece by piece.
 */
export class TransactionAssembler {
  readonly #migration: Buffer
  readonly #limits: PieceLimits
  readonly #decoder = new PgoutputDecoder()
  readonly #shapes: RelationShapes
  readonly #space: LogSpace
  readonly #streamed = new Map<number, OpenTransactionLog>()
  readonly #prepared = new Map<string, Prepared>()
  /** The transaction whose messages come right now and that will commit at its end. */
  #current: { readonly header: TransactionHeader; readonly cutter: PieceCutter; marked: boolean } | null = null
  /** The streamed segment or prepared transaction whose messages come right now. */
  #log: OpenTransactionLog | null = null
  #preparing: { readonly gid: string; readonly prepareLsn: Lsn } | null = null
  #ready: StreamEvent[] = []
  #taken = 0
  #replay: Generator<void> | null = null
  /** Up to here everything has been given out, or will be by `#ready` and `#replay`. */
  #complete: Lsn = zeroLsn
  #position: Lsn = zeroLsn
  readonly #emit = (event: StreamEvent) => {
    this.#ready.push(event)
  }

  constructor(options: AssemblerOptions) {
    this.#migration = Buffer.from(options.migration)
    this.#limits = { pieceRowsMax, pieceBytesMax, ...options.limits }
    this.#shapes = new RelationShapes(options.tables)
    this.#space = new LogSpace(options.openTransactions)
  }

  /** The source must not be acknowledged past this: it would not send a prepared transaction again that is held only here. Null: no bound. */
  get acknowledgeMax(): Lsn | null {
    let bound = this.#preparing?.prepareLsn ?? null
    for (const { prepareLsn } of this.#prepared.values())
      bound = bound === null ? prepareLsn : minLsn(bound, prepareLsn)
    return bound
  }

  /** The next event in order; undefined when more input is needed. */
  take(): StreamEvent | undefined {
    for (;;) {
      if (this.#taken < this.#ready.length) return this.#ready[this.#taken++]
      this.#ready.length = 0
      this.#taken = 0
      if (this.#replay === null) return undefined
      if (this.#replay.next().done) this.#replay = null
    }
  }

  /** One logical message. Throws CF3010 or CF3018; the assembler can't be used after that. */
  accept(bytes: Buffer, start: number, end: number): void {
    if (this.#log !== null) this.#acceptLogged(this.#log, bytes, start, end)
    else if (this.#current?.marked && isRow(bytes[start]!)) return
    else this.#acceptMessage(this.#decoder.decode(bytes, start, end), end - start)
  }

  /** The server has sent everything up to here. Ignored in the middle of a transaction. */
  keepalive(lsn: Lsn): void {
    if (this.#current === null && this.#log === null && lsn > this.#complete) this.#complete = lsn
  }

  /** No more input at the moment: tells the position when it has moved. */
  endOfBlock(): void {
    if (this.#current !== null || this.#log !== null || this.#complete <= this.#position) return
    this.#position = this.#complete
    this.#emit({ kind: 'position', lsn: this.#position })
  }

  /** Deletes what is held for open transactions. Idempotent. */
  close(): void {
    this.#replay = null
    this.#space.close()
  }

  #acceptMessage(message: PgoutputMessage, bytes: number): void {
    switch (message.tag) {
      case 'insert':
      case 'update':
      case 'delete':
      case 'truncate':
        this.#open(message.tag).cutter.row(message, bytes)
        break
      case 'begin':
        this.#begin(message)
        break
      case 'commit':
        this.#commit(message)
        break
      case 'relation':
        this.#relation(message.relation)
        break
      case 'type':
        this.#shapes.learnType(message.oid, message.schema, message.name)
        break
      case 'message':
        this.#message(message, bytes)
        break
      case 'origin':
        break
      case 'streamStart':
        this.#streamStart(message)
        break
      case 'streamCommit':
        this.#finish(this.#streamed.get(message.xid), message)
        this.#streamed.delete(message.xid)
        break
      case 'streamAbort':
        this.#streamAbort(message.xid, message.subXid)
        break
      case 'beginPrepare':
        this.#free('beginPrepare')
        this.#preparing = { gid: message.gid, prepareLsn: message.prepareLsn }
        this.#log = new OpenTransactionLog(this.#space, this.#decoder.relations(), null)
        break
      case 'streamPrepare': {
        const log = this.#streamed.get(message.xid)
        if (log === undefined) throw disorder(`transaction ${message.xid} was prepared and never streamed`)
        this.#streamed.delete(message.xid)
        this.#prepared.set(message.gid, { log, prepareLsn: message.prepareLsn })
        break
      }
      case 'commitPrepared':
        this.#finish(this.#prepared.get(message.gid)?.log, message)
        this.#prepared.delete(message.gid)
        break
      case 'rollbackPrepared':
        this.#prepared.get(message.gid)?.log.delete()
        this.#prepared.delete(message.gid)
        this.keepalive(message.rollbackEndLsn)
        break
      default:
        throw disorder(`${message.tag} outside of its transaction`)
    }
  }

  /** A message of a transaction whose fate isn't known. Kept as it is; only what changes the decoder or ends the segment is read. */
  #acceptLogged(log: OpenTransactionLog, bytes: Buffer, start: number, end: number): void {
    const tag = bytes[start]!
    if (isRow(tag) || tag === 0x54) {
      log.append(bytes, start, end)
      return
    }
    const message = this.#decoder.decode(bytes, start, end)
    switch (message.tag) {
      case 'relation':
      case 'type':
        log.append(bytes, start, end)
        break
      case 'message':
        if (!message.transactional) this.#message(message, end - start)
        else if (this.#isMark(message)) log.drop()
        else log.append(bytes, start, end)
        break
      case 'origin':
        break
      case 'streamStop':
        this.#log = null
        break
      case 'prepare':
        if (this.#preparing?.gid !== message.gid)
          throw disorder(`${message.gid} ends the preparation of ${this.#preparing?.gid}`)
        this.#prepared.set(message.gid, { log, prepareLsn: message.prepareLsn })
        this.#preparing = null
        this.#log = null
        break
      default:
        throw disorder(`${message.tag} inside of an open transaction`)
    }
  }

  #begin(message: Extract<PgoutputMessage, { tag: 'begin' }>): void {
    this.#free('begin')
    const header = { recordLsn: message.finalLsn, committedAtMs: epochMs(message.commitTime), xid: message.xid }
    this.#current = { header, cutter: new PieceCutter(this.#limits, header, this.#emit), marked: false }
  }

  #commit(message: Extract<PgoutputMessage, { tag: 'commit' }>): void {
    const { header, cutter, marked } = this.#open('commit')
    if (message.commitLsn !== header.recordLsn) throw disorder('a commit that is not of the transaction before it')
    if (!marked) cutter.finish()
    this.#current = null
    this.#complete = message.endLsn
  }

  #message(message: Extract<PgoutputMessage, { tag: 'message' }>, bytes: number): void {
    const { lsn, prefix, content } = message
    if (!message.transactional) {
      if (!this.#isMark(message)) this.#emit({ kind: 'message', lsn, prefix, content })
      return
    }
    const current = this.#open('message')
    if (!this.#isMark(message)) {
      if (!current.marked) current.cutter.event({ kind: 'message', lsn, prefix, content }, bytes)
      return
    }
    if (current.cutter.emitted) throw disorder('an applier marked its transaction after its first rows')
    current.marked = true
    current.cutter.drop()
  }

  /** A new shape is told even when the rows beside it are dropped: the next transaction has it too. */
  #relation(relation: Relation): void {
    for (const event of this.#shapes.observe(relation)) {
      const current = this.#open('relation')
      if (current.marked) this.#emit(event)
      else current.cutter.event(event, 0)
    }
  }

  #isMark({ prefix, content }: { readonly prefix: string; readonly content: Buffer }): boolean {
    return prefix === appliedMark && content.equals(this.#migration)
  }

  #streamStart({ xid, firstSegment }: { readonly xid: number; readonly firstSegment: boolean }): void {
    this.#free('streamStart')
    let log = this.#streamed.get(xid)
    if (log === undefined) {
      if (!firstSegment) throw disorder(`the first segment of transaction ${xid} never came`)
      log = new OpenTransactionLog(this.#space, this.#decoder.relations(), xid)
      this.#streamed.set(xid, log)
    }
    this.#log = log
  }

  #streamAbort(xid: number, subXid: number): void {
    const log = this.#streamed.get(xid)
    if (xid !== subXid) {
      log?.abortSubTransaction(subXid)
    } else {
      log?.delete()
      this.#streamed.delete(xid)
    }
  }

  /** The fate of a held transaction is to commit. */
  #finish(
    log: OpenTransactionLog | undefined,
    commit: Extract<PgoutputMessage, { tag: 'streamCommit' | 'commitPrepared' }>,
  ): void {
    this.#free(commit.tag)
    if (log === undefined) throw disorder(`transaction ${commit.xid} commits and never came`)
    this.#complete = commit.endLsn
    const header = { recordLsn: commit.commitLsn, committedAtMs: epochMs(commit.commitTime), xid: commit.xid }
    this.#replay = this.#giveLogged(log, header)
  }

  *#giveLogged(log: OpenTransactionLog, header: TransactionHeader): Generator<void> {
    const cutter = new PieceCutter(this.#limits, header, this.#emit)
    for (const { message, bytes } of log.messages()) {
      switch (message.tag) {
        case 'insert':
        case 'update':
        case 'delete':
        case 'truncate':
          cutter.row(message, bytes)
          break
        case 'relation':
          for (const event of this.#shapes.observe(message.relation)) cutter.event(event, 0)
          break
        case 'type':
          this.#shapes.learnType(message.oid, message.schema, message.name)
          break
        case 'message':
          cutter.event({ kind: 'message', lsn: message.lsn, prefix: message.prefix, content: message.content }, bytes)
          break
      }
      if (this.#ready.length > 0) yield
    }
    cutter.finish()
    log.delete()
  }

  #open(what: string) {
    if (this.#current === null) throw disorder(`${what} outside of a transaction`)
    return this.#current
  }

  #free(what: string): void {
    if (this.#current !== null || this.#log !== null) throw disorder(`${what} inside of another transaction`)
  }
}

/** Insert, update, delete. */
function isRow(tag: number): boolean {
  return tag === 0x49 || tag === 0x55 || tag === 0x44
}

function disorder(reason: string): Error {
  return fail('CF3018', { reason })
}
