import { systemClock } from '@crossfade/model/clock.ts'
import { Failure, reasonOf } from '@crossfade/model/failure.ts'
import type { ShardId } from '@crossfade/model/ids.ts'
import { asLsn, endOfLog, type Lsn, minLsn, zeroLsn } from '@crossfade/model/lsn.ts'
import type { Mismatch } from '@crossfade/model/mismatch.ts'
import type { Side } from '@crossfade/model/stage.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import type { TaskContext } from '@crossfade/pipeline/data-plane.ts'
import type { ResolvedTable } from '@crossfade/pipeline/resolved-plan.ts'
import type { TouchListener } from '../sink/touch-listener.ts'
import type { ComparedTable } from './compared-table.ts'
import type { ComparedTables } from './compared-tables.ts'
import { type Comparison, type Key, keyOfText, keyText, type Looker, type Occurrence } from './look.ts'
import { lookerOf } from './looker-of.ts'
import { mismatchesOf } from './mismatch-columns.ts'
import { estimatedRows } from './ranges.ts'
import { compare, type Difference, sameVersions } from './settle.ts'
import { verifyRange } from './verify-range.ts'

/** Keys that are compared by one pair of statements. */
const batchKeysMax = 1_000
/** Tables of a batch that are looked at beside each other. */
const groupsAtOnce = 3
/** Batches that are compared beside each other. */
const batchesMax = 2
/**
 * How long the first touched key waits for others, so that what is written again and again is compared once: this many times as long as the last comparison took, within
 * these bounds. Many tables and shards cost many statements, and so they take a small share of the time however many there are. Nobody waits while somebody is in a hurry.
 */
const gatherTimes = 5
const gatherMsMin = 5
const gatherMsMax = 150
/** Between two looks at a doubtful key while somebody waits. */
const hurriedMs = 2
/** How often a key that was found different is looked at again: it may have been repaired. */
const mismatchLookMs = 1_000
/** After a failed look. */
const failedRestMs = 250
/** A table without identity is compared whole when it may have changed, up to this size; a larger one is believed here and left to the verification of ranges. */
const wholeTableRowsMax = 50_000

export interface TouchedKeysOptions {
  readonly comparison: Comparison
  readonly tables: ComparedTables
  /** The shard whose stream touches the keys, and its side. */
  readonly from: ShardId
  readonly side: Side
  readonly context: TaskContext
}

/**
 * The keys that a stream has changed and that nobody has compared since. A loop beside the stream reads them on both sides, in batches: equal, and the key is proven;
 * different, and it is looked at again once the stream has passed the look; different though neither row was written meanwhile, and it is a mismatch, which is looked at
 * on and on until somebody has repaired it. Memory is bounded: over `touchedKeysMax` keys `touched` waits. Nothing is stored: the slot is acknowledged only up to `proven`,
 * so after a restart the keys come again.
 */
export class TouchedKeys implements TouchListener {
  readonly #options: TouchedKeysOptions
  readonly #comparison: Comparison
  /** By table and key, in the order of their positions: a key that is touched again moves to the end. */
  readonly #pending = new Map<string, Lsn>()
  readonly #inFlight = new Set<Batch>()
  readonly #doubtful = new Map<string, Doubt>()
  /** Tables any row of which may have changed, with the least position of the changes that nobody has looked at. */
  readonly #whole = new Map<number, Lsn>()
  readonly #mismatches = new Map<string, readonly Mismatch[]>()
  readonly #ordinals: ReadonlyMap<string, number>
  #applied: Lsn = zeroLsn
  #told: Lsn = zeroLsn
  #hurried = false
  /** How long the last comparison took. */
  #comparedMs = 0
  #watcher = () => {}
  #room: (() => void)[] = []
  readonly #wakers = new Set<() => void>()
  /** The last look that failed; cleared by one that succeeds. */
  trouble: string | null = null

  constructor(options: TouchedKeysOptions) {
    this.#options = options
    const own = options.comparison.applied
    this.#comparison = {
      ...options.comparison,
      // The own stream is known better here than by what it has stored.
      applied: own === null ? null : async (from) => (from === options.from ? this.#applied : own(from)),
    }
    this.#ordinals = new Map(options.comparison.plan.tables.map((table, ordinal) => [tableKey(table.source), ordinal]))
    options.context.signal.addEventListener('abort', () => this.#release(), { once: true })
    for (let each = 0; each < batchesMax; each += 1) void this.#run(each === 0)
  }

  touched(table: ResolvedTable, keys: readonly (readonly string[])[], lsn: Lsn): Promise<void> | undefined {
    const ordinal = this.#ordinals.get(tableKey(table.source))!
    if (keys.length === 0) {
      if (!this.#whole.has(ordinal)) this.#whole.set(ordinal, lsn)
    }
    for (const key of keys) {
      const text = `${ordinal}\0${keyText(key)}`
      this.#pending.delete(text)
      this.#pending.set(text, lsn)
    }
    this.#rouse()
    return this.#full ? this.#roomAgain() : undefined
  }

  applied(lsn: Lsn): void {
    if (lsn <= this.#applied) return
    this.#applied = lsn
    this.#tell()
  }

  proven(): Lsn {
    let least: Lsn | null = null
    const consider = (lsn: Lsn) => {
      least = least === null ? lsn : minLsn(least, lsn)
    }
    for (const lsn of this.#pending.values()) {
      consider(lsn)
      break
    }
    for (const batch of this.#inFlight) consider(batch.lsn)
    for (const doubt of this.#doubtful.values()) consider(doubt.lsn)
    for (const lsn of this.#whole.values()) consider(lsn)
    return least === null ? this.#applied : minLsn(this.#applied, asLsn(least - 1n))
  }

  watch(moved: () => void): void {
    this.#watcher = moved
  }

  pending(): number {
    let count = this.#pending.size + this.#doubtful.size + this.#whole.size
    for (const batch of this.#inFlight) count += batch.size
    return count
  }

  mismatches(): readonly Mismatch[] {
    return [...this.#mismatches.values()].flat().slice(0, this.#comparison.plan.verification.mismatchesReportedMax)
  }

  /** Somebody waits for `proven`: from here on no key waits for others, until nothing is left. */
  hurry(): void {
    this.#hurried = true
    this.#rouse()
  }

  get #full(): boolean {
    return this.pending() >= this.#comparison.plan.verification.touchedKeysMax
  }

  #roomAgain(): Promise<void> {
    return new Promise((resolve) => this.#room.push(resolve))
  }

  #giveRoom(): void {
    if (!this.#full) for (const resolve of this.#room.splice(0)) resolve()
  }

  #rouse(): void {
    for (const wake of this.#wakers) wake()
  }

  #release(): void {
    for (const resolve of this.#room.splice(0)) resolve()
    this.#rouse()
  }

  /** `first` alone looks at what is doubtful and at whole tables. */
  async #run(first: boolean): Promise<void> {
    const { signal } = this.#options.context
    while (!signal.aborted) {
      try {
        // The others help where there is much to do, or somebody waits.
        const wanted = first || this.#hurried || this.#pending.size >= batchKeysMax
        const batch = wanted ? this.#take() : null
        if (batch) await this.#compare(batch)
        const looked = first && ((await this.#lookAgain()) || (await this.#compareWhole()))
        if (batch || looked) this.trouble = null
        if (batch) await this.#gather()
        else if (!looked) await this.#idle()
      } catch (error) {
        if (signal.aborted) return
        this.trouble = error instanceof Failure ? error.message : reasonOf(error)
        await systemClock.sleep(failedRestMs)
      }
      this.#tell()
    }
  }

  /** The oldest keys. */
  #take(): Batch | null {
    let batch: Batch | null = null
    let count = 0
    for (const [text, lsn] of this.#pending) {
      batch ??= { lsn, groups: new Map(), size: 0 }
      const split = text.indexOf('\0')
      const ordinal = Number(text.slice(0, split))
      let group = batch.groups.get(ordinal)
      if (!group) batch.groups.set(ordinal, (group = []))
      group.push({ key: keyOfText(text.slice(split + 1)), lsn })
      batch.size += 1
      this.#pending.delete(text)
      count += 1
      if (count >= batchKeysMax) break
    }
    if (batch) this.#inFlight.add(batch)
    return batch
  }

  async #compare(batch: Batch): Promise<void> {
    const groups = [...batch.groups]
    const begun = performance.now()
    try {
      while (groups.length > 0) {
        const together = groups.slice(0, groupsAtOnce)
        await Promise.all(together.map(([ordinal, touches]) => this.#compareGroup(ordinal, touches)))
        groups.splice(0, together.length)
      }
      this.#comparedMs = performance.now() - begun
    } catch (error) {
      // Back to be looked at later. Their positions must not be forgotten, whatever was touched since.
      for (const [ordinal, touches] of groups) {
        for (const { key, lsn } of touches) {
          const id = `${ordinal}\0${keyText(key)}`
          const doubt = this.#doubtful.get(id)
          if (doubt && doubt.lsn <= lsn) continue
          this.#doubtful.set(id, {
            ordinal,
            key,
            lsn,
            rows: nothing,
            others: unseen,
            positions: noPositions,
            notBefore: 0,
          })
        }
      }
      throw error
    } finally {
      this.#inFlight.delete(batch)
      this.#giveRoom()
      if (this.#doubtful.size > 0) this.#rouse()
    }
  }

  async #compareGroup(ordinal: number, touches: readonly Touch[]): Promise<void> {
    const { table, looker } = await this.#tableOf(ordinal)
    const keys = touches.map((each) => each.key)
    const [there, here] = await Promise.all([looker.following(keys), looker.authoritative(keys)])
    let positions: Doubt['positions'] | null = null
    for (const { key, lsn } of touches) {
      const text = keyText(key)
      const rows = here.get(text) ?? nothing
      const others = there.get(text) ?? nothing
      if (compare(table, this.#options.side, key, rows, others) === null) continue
      positions ??= await looker.positions()
      const id = `${ordinal}\0${text}`
      // An older doubt about the key keeps its position; the look is the new one.
      const oldest = minLsn(this.#doubtful.get(id)?.lsn ?? lsn, lsn)
      this.#doubtful.set(id, { ordinal, key, lsn: oldest, rows, others, positions, notBefore: 0 })
    }
  }

  /** Looks again at what was different. Says whether there was anything to look at now. */
  async #lookAgain(): Promise<boolean> {
    const now = performance.now()
    let lot: [string, Doubt][] = []
    for (const entry of this.#doubtful) {
      if (entry[1].notBefore > now || (lot.length > 0 && lot[0]![1].ordinal !== entry[1].ordinal)) continue
      lot.push(entry)
      if (lot.length >= batchKeysMax) break
    }
    if (lot.length === 0) return false
    const { side } = this.#options
    const { table, looker } = await this.#tableOf(lot[0]![1].ordinal)
    const keys = lot.map(([, doubt]) => doubt.key)
    // Read before the rows are: a row may be called wrong only when the stream had passed the former look by then.
    const reached = await this.#reached(lot.map(([, doubt]) => doubt.positions))
    const there = await looker.following(keys)
    const here = await looker.authoritative(keys)
    const positions = await looker.positions()
    // Touched anew while this look was on: the newer doubt stays.
    lot = lot.filter(([id, doubt]) => this.#doubtful.get(id) === doubt)
    for (const [id, doubt] of lot) {
      const rows = here.get(keyText(doubt.key)) ?? nothing
      const others = there.get(keyText(doubt.key)) ?? nothing
      const differences = compare(table, side, doubt.key, rows, others)
      if (differences === null || compare(table, side, doubt.key, doubt.rows, others) === null) {
        this.#doubtful.delete(id)
        this.#mismatches.delete(id)
      } else if (!sameVersions(doubt.rows, rows) || !sameVersions(doubt.others, others)) {
        const notBefore = performance.now() + this.#recheckMs
        this.#doubtful.set(id, { ...doubt, rows, others, positions, notBefore })
      } else if ([...doubt.positions].every(([shard, lsn]) => reached(shard) >= lsn)) {
        if (!this.#mismatches.has(id)) await this.#report(id, table, differences)
        this.#doubtful.set(id, { ...doubt, notBefore: performance.now() + mismatchLookMs })
      } else this.#doubtful.set(id, { ...doubt, notBefore: performance.now() + this.#recheckMs })
    }
    this.#giveRoom()
    return true
  }

  get #recheckMs(): number {
    return this.#hurried ? hurriedMs : this.#comparison.plan.verification.recheckMs
  }

  /** How far each shard's changes are applied at this moment. */
  async #reached(positions: readonly ReadonlyMap<ShardId, Lsn>[]): Promise<(shard: ShardId) => Lsn> {
    const { applied } = this.#comparison
    if (!applied) return () => endOfLog
    const shards = [...new Set(positions.flatMap((each) => [...each.keys()]))]
    const found = new Map(await Promise.all(shards.map(async (shard) => [shard, await applied(shard)] as const)))
    return (shard) => found.get(shard) ?? zeroLsn
  }

  async #report(id: string, table: ComparedTable, differences: readonly Difference[]): Promise<void> {
    if (this.#mismatches.size >= this.#comparison.plan.verification.mismatchesReportedMax) return
    this.#mismatches.set(id, await mismatchesOf(this.#comparison, table, this.#options.side, differences))
    this.#watcher()
  }

  /** Compares tables whose rows can't be told apart by a key. */
  async #compareWhole(): Promise<boolean> {
    for (const [ordinal, lsn] of this.#whole) {
      const { table } = await this.#tableOf(ordinal)
      const { side, context } = this.#options
      // Changes that come while it is compared are another matter: they put the table here again.
      this.#whole.delete(ordinal)
      const holder: Batch = { lsn, groups: new Map(), size: 1 }
      this.#inFlight.add(holder)
      const id = `${ordinal}`
      try {
        let rows = 0
        for (const shard of table.ends[side].shards) rows += await estimatedRows(this.#comparison, table, side, shard)
        if (rows > wholeTableRowsMax) continue
        const range = {
          id: tableKey(table.plan.source),
          table: table.plan.source,
          from: null,
          to: null,
          estimatedRows: rows,
        }
        const found = await verifyRange(this.#comparison, table, side, range, context)
        if (found.mismatchCount === 0) this.#mismatches.delete(id)
        else {
          this.#mismatches.set(id, found.mismatches)
          this.#putBack(ordinal, lsn)
          await systemClock.sleep(mismatchLookMs)
        }
      } catch (error) {
        this.#putBack(ordinal, lsn)
        throw error
      } finally {
        this.#inFlight.delete(holder)
      }
      return true
    }
    return false
  }

  #putBack(ordinal: number, lsn: Lsn): void {
    this.#whole.set(ordinal, minLsn(lsn, this.#whole.get(ordinal) ?? lsn))
  }

  async #tableOf(ordinal: number): Promise<{ readonly table: ComparedTable; readonly looker: Looker }> {
    const table = await this.#options.tables.get(this.#comparison.plan.tables[ordinal]!.source)
    return { table, looker: lookerOf(this.#comparison, table, this.#options.side) }
  }

  #tell(): void {
    const proven = this.proven()
    if (proven === this.#told) return
    this.#told = proven
    this.#watcher()
  }

  /** Lets keys gather after a comparison, unless there are enough of them for the next. */
  async #gather(): Promise<void> {
    const ready = performance.now() + Math.min(gatherMsMax, Math.max(gatherMsMin, this.#comparedMs * gatherTimes))
    for (let left = 1; left > 0 && !this.#hurried && this.#pending.size < batchKeysMax; ) {
      left = ready - performance.now()
      if (left > 0) await this.#roused(left)
    }
  }

  /** Until something is touched, or a doubtful key may be looked at again. */
  async #idle(): Promise<void> {
    if (this.pending() === 0) this.#hurried = false
    await this.#roused(this.#doubtful.size > 0 ? (this.#hurried ? hurriedMs : gatherMsMin) : mismatchLookMs)
  }

  /** Until somebody rouses this loop, or for so long. */
  #roused(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer)
        this.#wakers.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, milliseconds)
      this.#wakers.add(wake)
    })
  }
}

interface Touch {
  readonly key: Key
  readonly lsn: Lsn
}

interface Batch {
  /** The least position of its keys. */
  readonly lsn: Lsn
  /** By the table's place in the plan. */
  readonly groups: Map<number, Touch[]>
  size: number
}

interface Doubt {
  readonly ordinal: number
  readonly key: Key
  readonly lsn: Lsn
  /** As they were at the last look. */
  readonly rows: readonly Occurrence[]
  readonly others: readonly Occurrence[]
  /** How far the log had come at that look. */
  readonly positions: ReadonlyMap<ShardId, Lsn>
  /** On `performance.now()`'s clock. */
  readonly notBefore: number
}

const nothing: readonly Occurrence[] = []
/** Unlike every row, so that a key nobody could look at is never taken for one that stayed as it was. */
const unseen: readonly Occurrence[] = [{ shard: '' as ShardId, hash: '', version: '', misplaced: false }]
const noPositions: ReadonlyMap<ShardId, Lsn> = new Map()
