import { fail } from '@crossfade/model/failure.ts'
import type { Mismatch, TableVerification, VerificationReport } from '@crossfade/model/mismatch.ts'
import { tableKey } from '@crossfade/model/table-name.ts'
import type { VerificationRange } from '@crossfade/pipeline/data-plane.ts'
import type { TrackPorts, VerificationRun } from '../contract/ports.ts'
import type { NewTask } from '../contract/tasks.ts'
import type { Step } from '../contract/track.ts'

/** Changes wake the wait; this bounds how long a lost message is not noticed. */
const lookMs = 500
/** Between two rounds of the continuous verification: at least this, and at least so many times what the last one took. */
const restMsMin = 60_000
const restRatio = 4

/**
 * All rows of both sides were compared after the stage was entered, and are equal. A round of the continuous verification that has begun since counts; one that found something
 * counts against the step only when it began after the step did, for a person may have repaired it.
 */
export const verifyStep: Step = {
  name: 'verify',
  title: 'verify every row',
  async run(ports) {
    for (;;) {
      ports.signal.throwIfAborted()
      const last = await ports.verification.last()
      if (last && Date.parse(last.startedAt) >= ports.entered) {
        const left = last.mismatches - last.repaired
        if (left === 0) return { report: last.id, rows: last.rows, bytes: last.bytes }
        if (Date.parse(last.startedAt) >= ports.since) throw fail('CF4001', { mismatches: left })
      }
      const running = await ports.verification.running()
      if (!running) await ports.verification.begin(newRun(ports, false))
      else ports.detail(`${await ports.tasks.unfinished({ kind: 'verify' })} ranges to go`)
      await ports.changed(lookMs, ports.signal)
    }
  },
}

/** Goes on with the run that is on, begins one that was asked for, or the next round of the continuous verification. Idempotent. */
export async function tendVerification(ports: TrackPorts): Promise<void> {
  const running = await ports.verification.running()
  if (running) return goOn(ports, running)
  const requested = await ports.verification.requested()
  if (requested) {
    await ports.verification.begin(requested)
    return
  }
  const last = await ports.verification.last()
  if (last?.finishedAt) {
    const took = Date.parse(last.finishedAt) - Date.parse(last.startedAt)
    const rest = Math.max(restMsMin, took * restRatio)
    if (ports.clock.now() < Date.parse(last.finishedAt) + rest) return
  }
  await ports.verification.begin(newRun(ports, false))
}

async function goOn(ports: TrackPorts, run: VerificationRun): Promise<void> {
  const mine = { prefix: `verify:${run.id}:` }
  const tasks = await ports.tasks.list(mine)
  if (tasks.length === 0) {
    const ranges = await ports.plane.verification.ranges()
    if (ranges.length === 0) return end(ports, run, [], [], 0)
    await ports.tasks.add(ranges.map((range) => verifyTask(run, range)))
    return
  }
  if (tasks.some((task) => task.state !== 'done')) return
  const tables = sumByTable(
    tasks.map((task) => task.result as unknown as TableVerification),
    ports.plan.verification.mismatchesReportedMax,
  )
  const found = tables.flatMap((table) => table.mismatches)
  if (!run.repair || found.length === 0) return end(ports, run, tables, found, 0)

  const name = `repair:${run.id}`
  await ports.tasks.add([{ name, kind: 'repair', payload: { mismatches: found } }])
  const [repair] = await ports.tasks.list({ names: [name] })
  if (repair?.state !== 'done') return
  const left = repair.result!['left'] as readonly Mismatch[]
  return end(ports, run, tables, left, found.length - left.length)
}

async function end(
  ports: TrackPorts,
  run: VerificationRun,
  tables: readonly TableVerification[],
  open: readonly Mismatch[],
  repaired: number,
): Promise<void> {
  const sum = (pick: (table: TableVerification) => number) => tables.reduce((total, table) => total + pick(table), 0)
  const report: VerificationReport = {
    id: run.id,
    startedAt: run.startedAt,
    finishedAt: new Date(ports.clock.now()).toISOString(),
    scope: run.repair ? 'repair' : 'full',
    tables,
    rows: sum((table) => table.rows),
    bytes: sum((table) => table.bytes),
    mismatches: sum((table) => table.mismatchCount),
    repaired,
  }
  await ports.verification.finish(run, report, open)
  await ports.tasks.remove({ prefix: 'verify:' })
  await ports.tasks.remove({ prefix: 'repair:' })
}

function verifyTask(run: VerificationRun, range: VerificationRange): NewTask {
  return { name: `verify:${run.id}:${range.id}`, kind: 'verify', payload: { run: run.id, range } }
}

/** Ids are made of the time of the beginning, so that they sort. */
function newRun(ports: TrackPorts, repair: boolean): VerificationRun {
  return { id: `ver_${ports.clock.now()}`, repair, startedAt: new Date(ports.clock.now()).toISOString() }
}

/** One line per table from one line per range. */
export function sumByTable(parts: readonly TableVerification[], mismatchesMax: number): readonly TableVerification[] {
  const tables = new Map<string, TableVerification>()
  for (const part of parts) {
    const key = tableKey(part.table)
    const before = tables.get(key)
    tables.set(key, before ? joined(before, part, mismatchesMax) : part)
  }
  return [...tables.values()]
}

function joined(a: TableVerification, b: TableVerification, mismatchesMax: number): TableVerification {
  return {
    table: a.table,
    rows: a.rows + b.rows,
    bytes: a.bytes + b.bytes,
    digest: sumOfDigests(a.digest, b.digest),
    chunks: a.chunks + b.chunks,
    rechecks: a.rechecks + b.rechecks,
    milliseconds: a.milliseconds + b.milliseconds,
    mismatches: [...a.mismatches, ...b.mismatches].slice(0, mismatchesMax),
    mismatchCount: a.mismatchCount + b.mismatchCount,
  }
}

const integer = /^-?\d+$/

/** Digests are sums of row hashes, so those of ranges add up to the table's. */
function sumOfDigests(a: string, b: string): string {
  if (integer.test(a) && integer.test(b)) return String(BigInt(a) + BigInt(b))
  return integer.test(a) ? b : a
}
