import { systemClock } from '@crossfade/model/clock.ts'
import pg from 'pg'
import type { Place, System } from './system.ts'
import type { Workers } from './workers.ts'

/** What may happen to a running migration. */
export const faultKinds = [
  'kill-worker',
  'kill-leader',
  'terminate-backends',
  'restart-source',
  'kill-source',
  'restart-target',
  'kill-target',
  'restart-control',
  'kill-control',
  'reset',
  'cut',
  'blackhole',
  'half-open',
  'delay',
] as const
export type FaultKind = (typeof faultKinds)[number]

export interface Struck {
  readonly kind: FaultKind
  /** What it struck, for the report of a failed run. */
  readonly what: string
  /** After a kill of a worker: from the kill to the next claim of each lease that it held. */
  readonly takeoversMs: readonly number[]
}

export interface FaultContext {
  readonly system: System
  readonly workers: Workers
  readonly random: () => number
}

/** A server is away for up to this long. */
const awayMsMax = 2_500
/** Connections are disturbed for up to this long; longer than a lease, so that leases are lost too. */
const disturbedMsMax = 8_000
const delayMs = 150
/** A lease is looked for this long after its holder was killed. */
const takeoverMsMax = 15_000
const takeoverLookMs = 50

/** Does one fault and lets it end: when this resolves, every server runs and every connection works again. */
export async function strike(kind: FaultKind, context: FaultContext): Promise<Struck> {
  const { random } = context
  switch (kind) {
    case 'kill-worker':
      return killWorker(kind, pick(context.workers.pids(), random), context)
    case 'kill-leader':
      return killWorker(kind, await leader(context), context)
    case 'terminate-backends': {
      const place = pick(context.system.places, random)!
      return { kind, what: `${await terminateBackends(place)} of ${place.name}`, takeoversMs: [] }
    }
    case 'restart-source':
    case 'kill-source':
      return bringDown(kind, 'source', context)
    case 'restart-target':
    case 'kill-target':
      return bringDown(kind, 'target', context)
    case 'restart-control':
    case 'kill-control':
      return bringDown(kind, 'control', context)
    case 'reset':
    case 'cut':
    case 'blackhole':
    case 'half-open':
    case 'delay':
      return disturb(kind, context)
  }
}

async function killWorker(
  kind: FaultKind,
  pid: number | undefined,
  { system, workers }: FaultContext,
): Promise<Struck> {
  if (pid === undefined) return { kind, what: 'nobody', takeoversMs: [] }
  const control = await connected(system.controlUrl)
  try {
    const { rows: held } = await control.query<Held>(
      `SELECT migration, name, epoch FROM crossfade_control.task
        WHERE split_part(worker, ':', 2) = $1 AND state = 'running' AND kind IN ('reconcile', 'stream')`,
      [String(pid)],
    )
    const { rows: now } = await control.query<{ at: Date }>('SELECT clock_timestamp() AS at')
    workers.kill(pid)
    const takeoversMs = await takeovers(control, held, now[0]!.at.getTime())
    return { kind, what: `${pid}, holding ${held.map(({ name }) => name).join(', ')}`, takeoversMs }
  } finally {
    await control.end()
  }
}

interface Held {
  readonly migration: string
  readonly name: string
  readonly epoch: string
}

/** Waits for the next claim of each lease. One that is wanted no more, or given up by its holder just before the kill, is not counted. */
async function takeovers(control: pg.Client, held: readonly Held[], killedAt: number): Promise<number[]> {
  const open = new Map(held.map((each) => [each.name, each]))
  const found: number[] = []
  const deadline = Date.now() + takeoverMsMax
  while (open.size > 0 && Date.now() < deadline) {
    for (const { migration, name, epoch } of open.values()) {
      const { rows } = await control.query<{ state: string; epoch: string; started_at: Date }>(
        'SELECT state, epoch, started_at FROM crossfade_control.task WHERE migration = $1 AND name = $2',
        [migration, name],
      )
      const task = rows[0]
      if (task && task.epoch === epoch && task.state === 'running') continue
      open.delete(name)
      if (task && task.epoch !== epoch) found.push(task.started_at.getTime() - killedAt)
    }
    await systemClock.sleep(takeoverLookMs)
  }
  return [...found, ...[...open].map(() => takeoverMsMax)]
}

async function leader({ system }: FaultContext): Promise<number | undefined> {
  const control = await connected(system.controlUrl)
  try {
    const { rows } = await control.query<{ pid: number }>(
      `SELECT split_part(worker, ':', 2)::int AS pid FROM crossfade_control.task WHERE kind = 'reconcile' AND state = 'running' AND worker IS NOT NULL`,
    )
    return rows[0]?.pid
  } finally {
    await control.end()
  }
}

/** Ends every session of the product on one server; those of the client program stay. */
async function terminateBackends(place: Place): Promise<number> {
  const client = await connected(place.cluster.superuserUrl())
  try {
    const { rows } = await client.query<{ ended: boolean }>(
      `SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity WHERE application_name LIKE 'crossfade%'`,
    )
    return rows.length
  } finally {
    await client.end()
  }
}

async function bringDown(kind: FaultKind, side: Place['side'], { system, random }: FaultContext): Promise<Struck> {
  const place = pick(
    system.places.filter((each) => each.side === side),
    random,
  )!
  const away = Math.floor(random() * awayMsMax)
  if (kind.startsWith('kill')) await place.cluster.kill()
  else await place.cluster.stop(random() < 0.5 ? 'fast' : 'immediate')
  await systemClock.sleep(away)
  await place.cluster.start()
  return { kind, what: `${place.name}, away for ${away} ms`, takeoversMs: [] }
}

async function disturb(
  kind: 'reset' | 'cut' | 'blackhole' | 'half-open' | 'delay',
  { system, random }: FaultContext,
): Promise<Struck> {
  const { proxy, name } = pick(system.places, random)!
  const length = kind === 'reset' ? 0 : Math.floor(random() * disturbedMsMax)
  if (kind === 'reset') proxy.cutOnce()
  else if (kind === 'cut') proxy.cut()
  else if (kind === 'blackhole') proxy.blackhole()
  else if (kind === 'half-open') proxy.halfOpen()
  else proxy.delay(delayMs)
  await systemClock.sleep(length)
  proxy.restore()
  return { kind, what: `${name} for ${length} ms`, takeoversMs: [] }
}

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  return client
}

function pick<Item>(items: readonly Item[], random: () => number): Item | undefined {
  return items[Math.floor(random() * items.length)]
}
