import type { Clock } from '@crossfade/model/clock.ts'
import { fail } from '@crossfade/model/failure.ts'
import type { MigrationId } from '@crossfade/model/ids.ts'
import type { Mismatch, VerificationReport } from '@crossfade/model/mismatch.ts'
import type { Routing } from '@crossfade/routing/routing.ts'
import type { JournalEntry } from './contract.ts'
import { MemoryBell } from './memory-bell.ts'
import { MemoryTasks } from './memory-tasks.ts'
import {
  type AppendOptions,
  type BoardKind,
  type ControlStore,
  type Lease,
  type MigrationRecord,
  type NewEntry,
  type Posted,
  type Sample,
  topicOf,
  type WorkerRecord,
} from './store.ts'

/** The whole control store in one process's memory: for simulation, and for tests of what stands above it. Every call is atomic and takes effect at once. */
export function memoryStore(clock: Clock): ControlStore {
  const bell = new MemoryBell(clock)
  const records = new Map<MigrationId, MigrationRecord>()
  const tasks = new MemoryTasks(clock, bell, (migration) => records.get(migration)?.paused ?? false)
  const entries: JournalEntry[] = []
  const routings = new Map<MigrationId, Routing>()
  const byKey = new Map<string, readonly JournalEntry[]>()
  const board = new Map<string, Posted & { readonly migration: MigrationId }>()
  const reports = new Map<MigrationId, VerificationReport[]>()
  const open = new Map<MigrationId, readonly Mismatch[]>()
  let samples: (Sample & { readonly migration: MigrationId })[] = []
  const workers = new Map<string, WorkerRecord>()

  const versionOf = (migration: MigrationId) => entries.findLast((entry) => entry.migration === migration)?.version ?? 0

  function checkLease(lease: Lease | undefined): void {
    if (lease && !tasks.holds(lease)) throw fail('CF6006', { lease: lease.task })
  }

  function append(
    migration: MigrationId,
    added: readonly NewEntry[],
    options: AppendOptions = {},
  ): readonly JournalEntry[] {
    const key = options.idempotencyKey === undefined ? null : `${migration} ${options.idempotencyKey}`
    const before = key === null ? undefined : byKey.get(key)
    if (before) return before
    checkLease(options.lease)
    const version = versionOf(migration)
    if (options.expectedVersion !== undefined && options.expectedVersion !== version)
      throw fail('CF6005', { migration, version })
    const now = new Date(clock.now()).toISOString()
    const made = added.map((entry, index) => ({
      ...entry,
      position: entries.length + index + 1,
      migration,
      version: version + index + 1,
      at: now,
    }))
    entries.push(...made)
    if (key !== null) byKey.set(key, made)
    if (options.routing) routings.set(migration, options.routing)
    const record = records.get(migration)
    if (record) {
      records.set(migration, {
        ...record,
        paused: options.paused ?? record.paused,
        endedAt: options.ends ? now : record.endedAt,
      })
      if (options.ends) tasks.forget(migration, 'reconcile')
    }
    bell.ring(migration, 'work')
    return made
  }

  function ring(migration: MigrationId, kind: BoardKind): void {
    const topic = topicOf(kind)
    if (topic) bell.ring(migration, topic)
  }

  return {
    migrations: {
      async create(id, plan, first) {
        const same = [...records.values()].find((record) => record.name === plan.name && record.endedAt === null)
        if (same) {
          if (same.plan.digest !== plan.digest) throw fail('CF6004', { name: plan.name, migration: same.id })
          return same.id
        }
        records.set(id, {
          id,
          name: plan.name,
          plan,
          createdAt: new Date(clock.now()).toISOString(),
          endedAt: null,
          paused: false,
        })
        append(id, [first], { routing: (first.body as { routing?: Routing }).routing })
        tasks.addNow(id, [{ name: 'reconcile', kind: 'reconcile', payload: {} }])
        return id
      },
      get: async (id) => records.get(id) ?? null,
      list: async () => [...records.values()].toReversed(),
    },
    journal: {
      append: async (migration, added, options) => append(migration, added, options),
      appended: async (migration, idempotencyKey) => byKey.get(`${migration} ${idempotencyKey}`) ?? null,
      read: async (migration, after, limit) =>
        entries.filter((entry) => entry.migration === migration && entry.version > after).slice(0, limit),
      newest: async (migration, limit) =>
        entries
          .filter((entry) => entry.migration === migration)
          .slice(-limit)
          .toReversed(),
      after: async (position, limit, migration) =>
        entries
          .filter((entry) => entry.position > position && (migration === undefined || entry.migration === migration))
          .slice(0, limit),
      end: async () => entries.length,
      routing: async (migration) => routings.get(migration) ?? null,
    },
    tasks,
    board: {
      async put(migration, kind, name, body) {
        board.set(`${migration} ${kind} ${name}`, { migration, kind, name, body, at: clock.now() })
        ring(migration, kind)
      },
      get: async (migration, kind, name) => board.get(`${migration} ${kind} ${name}`) ?? null,
      list: async (migration, kind) =>
        [...board.values()].filter(
          (posted) => posted.migration === migration && (kind === undefined || posted.kind === kind),
        ),
      async clear(migration: MigrationId, kind: BoardKind) {
        for (const [key, posted] of board) if (posted.migration === migration && posted.kind === kind) board.delete(key)
        ring(migration, kind)
      },
    },
    reports: {
      async put(migration, report, left) {
        const known = reports.get(migration) ?? []
        reports.set(migration, [report, ...known.filter((other) => other.id !== report.id)])
        open.set(migration, left)
      },
      list: async (migration, limit) => (reports.get(migration) ?? []).slice(0, limit),
      get: async (migration, id) => reports.get(migration)?.find((report) => report.id === id) ?? null,
      open: async (migration, limit) => (open.get(migration) ?? []).slice(0, limit),
      openCount: async (migration) => open.get(migration)?.length ?? 0,
    },
    samples: {
      async add(migration, added) {
        samples.push(...added.map((sample) => ({ ...sample, migration })))
      },
      async read(migration, names, since, until) {
        const wanted = samples.filter(
          (sample) => sample.migration === migration && sample.at >= since && sample.at <= until,
        )
        return Object.fromEntries(
          names.map((name) => {
            const own = wanted.filter((sample) => sample.name === name)
            return [name, { at: own.map((sample) => sample.at), values: own.map((sample) => sample.value) }]
          }),
        )
      },
      async prune(before) {
        samples = samples.filter((sample) => sample.at >= before)
      },
    },
    workers: {
      async seen(worker) {
        workers.set(worker.id, worker)
      },
      async gone(id) {
        workers.delete(id)
      },
      list: async () => [...workers.values()],
      held: async () => tasks.held(),
    },
    bell,
    async close() {},
  }
}
