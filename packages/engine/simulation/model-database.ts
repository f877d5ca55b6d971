import { fail } from '@crossfade/model/failure.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import { asLsn, type Lsn } from '@crossfade/model/lsn.ts'
import type { Side } from '@crossfade/model/stage.ts'

/** One row: the ids of the writes that made it, in order. So a write that is lost or done twice shows. */
export type Row = readonly string[]

export interface Change {
  readonly lsn: Lsn
  readonly key: string
  readonly row: Row
  /** Written by an applier or the copy; never replicated back. */
  readonly marked: boolean
}

export interface Fence {
  readonly epoch: number
  readonly closed: boolean
}

/** What is wrong on purpose, so that the simulation shows that it would notice. */
export const sabotages = [
  'flip-before-drain',
  'skip-lease-epoch',
  'skip-fence-epoch',
  'fence-without-drain',
  'position-ahead',
  'acknowledge-received',
  'stale-journal',
  'leave-slot',
  'replicate-back',
] as const
export type Sabotage = (typeof sabotages)[number]

/** One database of the model: rows, a log, a slot, fences, and the control schema `crossfade` with its epochs and positions. Every method is one transaction. */
export class ModelDatabase {
  readonly id: ShardId
  readonly side: Side
  readonly #sabotage: Sabotage | null
  readonly rows = new Map<string, Row>()
  log: Change[] = []
  slot: { confirmed: Lsn } | null = null
  control: {
    readonly floor: { lease: number; routing: number }
    readonly leases: Map<string, number>
    readonly positions: Map<string, Lsn>
    readonly chunks: Set<string>
  } | null = null
  /** Tables that Crossfade made here. */
  createdTables = false
  fencesInstalled = false
  readonly fences = new Map<string, Fence>()
  /** Client writes that have begun and not committed, by unit. */
  readonly inFlight = new Map<string, string>()
  readonly snapshots = new Map<
    string,
    { readonly rows: ReadonlyMap<string, Row>; readonly lsn: Lsn; readonly alive: () => boolean }
  >()
  sequence = 0
  archived = false
  #lsn = 100n

  constructor(id: ShardId, side: Side, sabotage: Sabotage | null) {
    this.id = id
    this.side = side
    this.#sabotage = sabotage
  }

  get lsn(): Lsn {
    return asLsn(this.#lsn)
  }

  isClosed(unit: string): boolean {
    return this.fences.get(unit)?.closed ?? false
  }

  /** A client's statement: refused where its unit is fenced, else it holds the table until it commits. */
  beginWrite(unit: string, id: string): void {
    if (this.isClosed(unit)) throw fenced
    this.inFlight.set(id, unit)
  }

  /** A client's commit: appends the write's id to the row, once. */
  commitWrite(key: string, id: string): void {
    this.inFlight.delete(id)
    const row = this.rows.get(key) ?? []
    if (!row.includes(id)) this.#put(key, [...row, id], false)
    this.sequence += 1
  }

  /** Rows that come with an epoch: refused when a higher one was seen for that lease, and remembered otherwise. */
  writeWithEpoch(
    lease: string,
    epoch: number,
    rows: readonly (readonly [string, Row])[],
    what: { readonly position?: readonly [string, Lsn]; readonly chunk?: string },
  ): void {
    const control = this.controlOrFail()
    const seen = control.leases.get(lease) ?? 0
    if (Math.max(seen, control.floor.lease) > epoch && this.#sabotage !== 'skip-lease-epoch')
      throw fail('CF6006', { lease })
    control.leases.set(lease, Math.max(seen, epoch))
    for (const [key, row] of rows) this.#put(key, row, this.#sabotage !== 'replicate-back')
    if (what.position) control.positions.set(...what.position)
    if (what.chunk) control.chunks.add(what.chunk)
  }

  /** Whether no client write of the units is under way; a fence takes the tables' locks, and so waits for them. */
  isQuiet(units: readonly string[]): boolean {
    return this.#sabotage === 'fence-without-drain' || ![...this.inFlight.values()].some((unit) => units.includes(unit))
  }

  setFence(units: readonly string[], epoch: number, closed: boolean): void {
    const { floor } = this.controlOrFail()
    for (const unit of units) {
      const least = Math.max(this.fences.get(unit)?.epoch ?? 0, floor.routing)
      if (least > epoch && this.#sabotage !== 'skip-fence-epoch') throw fail('CF5102', { shard: this.id, epoch })
    }
    for (const unit of units) this.fences.set(unit, { epoch, closed })
  }

  removeAll(): void {
    this.control = null
    if (this.#sabotage !== 'leave-slot') this.slot = null
    this.fences.clear()
    this.fencesInstalled = false
  }

  leftovers(): readonly string[] {
    const left: string[] = []
    if (this.control) left.push(`${this.id} schema`)
    if (this.slot && this.#sabotage !== 'leave-slot') left.push(`${this.id} slot`)
    if (this.fencesInstalled) left.push(`${this.id} triggers`)
    return left
  }

  dropCreatedTables(): void {
    if (!this.createdTables) return
    this.createdTables = false
    this.rows.clear()
    this.log = []
  }

  controlOrFail(): NonNullable<ModelDatabase['control']> {
    if (!this.control) throw fail('CF6007', { where: this.id, reason: 'there is no schema crossfade' })
    return this.control
  }

  #put(key: string, row: Row, marked: boolean): void {
    this.#lsn += 10n
    this.rows.set(key, row)
    this.log.push({ lsn: this.lsn, key, row, marked })
  }
}

/** What a fenced database answers to a client. */
export const fenced = new Error('crossfade: writes to this key have moved')
