import { tableKey } from '@crossfade/model/table-name.ts'
import type { ResolvedPlan, ResolvedSide, ResolvedTable } from '@crossfade/pipeline/resolved-plan.ts'
import type { Topology } from '@crossfade/routing/topology.ts'
import { chunksOf, type Forecast } from './forecast.ts'
import { plannedLocks } from './locks.ts'
import { formatBytes, formatCount, formatDuration } from './quantity.ts'
import { describeRoute } from './routes.ts'
import { textTable } from './text-table.ts'

/** The plan for people: what moves where, how much of it, in which order, under which locks, and how long it will take. Plain text, no colours. */
export function describePlan(plan: ResolvedPlan, forecast: Forecast): string {
  return [
    `Plan ${plan.name}  ${plan.digest.slice(0, 12)}`,
    '',
    describeSide('from', plan.source),
    describeSide('to', plan.target),
    '',
    `Tables, in the order in which they are applied (${plan.tables.length})`,
    tablesText(plan),
    '',
    forecastText(plan, forecast),
    '',
    'Locks on tables in use',
    textTable(
      ['when', 'where', 'tables', 'lock', 'makes wait', 'for how long'],
      plannedLocks(plan).map((lock) => [lock.when, lock.where, lock.tables, lock.mode, lock.blocks, lock.duration]),
    ),
    '',
    'Gates',
    gatesText(plan),
  ].join('\n')
}

/** The same as data, for `--json`. */
export function planReport(plan: ResolvedPlan, forecast: Forecast) {
  return {
    plan,
    forecast,
    order: plan.tables.map((table) => tableKey(table.source)),
    locks: plannedLocks(plan),
  }
}

function describeSide(word: string, side: ResolvedSide): string {
  const shards = side.shards.map((shard) => {
    const version = `PostgreSQL ${Math.floor(shard.serverVersion / 10_000)}.${shard.serverVersion % 10_000}`
    return `    ${shard.id.padEnd(14)} ${shard.url}  ${version}  ${shareOf(side.topology, shard.id)}`.trimEnd()
  })
  return [`  ${word.padEnd(5)} ${describeTopology(side)}`, ...shards].join('\n')
}

function describeTopology({ topology, shards }: ResolvedSide): string {
  switch (topology.kind) {
    case 'single':
      return 'one database'
    case 'hash':
      return `${shards.length} shards, hash of the key into ${topology.buckets} buckets`
    case 'range':
      return `${shards.length} shards, ranges of the key as ${topology.order}`
    case 'directory':
      return `${shards.length} shards, a directory of ${formatCount(Object.keys(topology.entries).length)} keys`
  }
}

function shareOf(topology: Topology, shard: string): string {
  if (topology.kind === 'hash') {
    return `buckets ${topology.ranges
      .filter((range) => range.shard === shard)
      .map(({ from, to }) => `${from}–${to - 1}`)
      .join(', ')}`
  }
  if (topology.kind === 'range') {
    const owned = topology.ranges.filter((range) => range.shard === shard)
    return `keys ${owned.map(({ from, to }) => `[${from ?? '…'}, ${to ?? '…'})`).join(', ')}`
  }
  if (topology.kind === 'directory') {
    return `${formatCount(Object.values(topology.entries).filter((owner) => owner === shard).length)} keys`
  }
  return ''
}

function tablesText(plan: ResolvedPlan): string {
  const rows = plan.tables.map((table, index) => [
    String(index + 1),
    tableKey(table.source),
    formatCount(table.estimate.rows),
    formatBytes(table.estimate.bytes),
    formatCount(chunksOf(table.estimate.bytes, plan.copy.chunkBytesMax)),
    table.identity.kind === 'key' ? table.identity.columns.join(', ') : 'whole row',
    describeRoute(table.route),
    remarksOf(table),
  ])
  return textTable(['#', 'table', 'rows', 'size', 'chunks', 'identity', 'shard key', ''], rows, [0, 2, 3, 4])
}

function remarksOf(table: ResolvedTable): string {
  const remarks: string[] = []
  if (tableKey(table.target) !== tableKey(table.source)) remarks.push(`becomes ${tableKey(table.target)}`)
  if (table.leaves.length > 0) remarks.push(`${table.leaves.length} partitions`)
  if (table.where !== null) remarks.push(`where ${table.where}`)
  if (table.transform !== null) remarks.push('transformed')
  else if (!table.binary) remarks.push('as text')
  const renamed = table.columns.filter((column) => column.source !== column.target)
  if (renamed.length > 0) remarks.push(renamed.map((column) => `${column.source} → ${column.target}`).join(', '))
  return remarks.join('; ')
}

function forecastText(plan: ResolvedPlan, forecast: Forecast): string {
  const { parts } = forecast
  const held = forecast.sourceWalBytes
    ? Object.entries(forecast.sourceWalBytes)
        .map(([shard, bytes]) => `${shard} ${formatBytes(bytes)}`)
        .join(', ')
    : 'not sampled'
  return [
    'Forecast',
    `  moves          ${formatCount(forecast.rows)} rows, ${formatBytes(forecast.bytes)}, ${formatCount(forecast.chunks)} chunks`,
    `  time           ${formatDuration(forecast.totalMs)}: copy ${formatDuration(parts.copy)}, indexes ${formatDuration(parts.indexes)}, verification ${formatDuration(parts.verification)}`,
    `  disk           ${formatBytes(forecast.targetDiskBytes)} on the fullest target, and ${formatBytes(forecast.targetWalBytes)} of WAL written there`,
    `  WAL held back  ${held} on the source while it copies; paused over ${formatBytes(plan.throttle.walBytesPause)}, failed over ${formatBytes(plan.throttle.walBytesMax)}`,
    `  write pause    a few ms at each cutover; put back when not done in ${formatDuration(plan.cutover.deadlineMs)}`,
  ].join('\n')
}

function gatesText(plan: ResolvedPlan): string {
  if (plan.gates.length === 0) return '  none'
  return textTable(
    ['before', 'gate', 'limit', 'must hold for', 'retreats after'],
    plan.gates.map((gate) => [
      gate.stage,
      gate.name,
      gate.limit === null ? '' : `${gate.limit}${gate.kind === 'lag' ? ' ms' : ''}`,
      gate.soakMs === 0 ? '' : formatDuration(gate.soakMs),
      gate.retreatAfterMs === null ? '' : formatDuration(gate.retreatAfterMs),
    ]),
  )
}
