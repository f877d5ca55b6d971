import type { MigrationDetail, MigrationSummary, StreamView } from '@crossfade/engine/contract.ts'
import { formatBytes, formatCount, formatDuration } from '@crossfade/plan/quantity.ts'
import { textTable } from '@crossfade/plan/text-table.ts'
import { colour } from './style.ts'

/** A migration on one screen: where it stands, what it does, how fast, how long still, and what keeps it. */
export function migrationText(detail: MigrationDetail, width: number): string {
  return [
    `${colour.bold(detail.name)}  ${colour.dim(detail.id)}  ${statusText(detail)}`,
    '',
    ladderText(detail),
    ...transitionLines(detail),
    ...copyLines(detail, width),
    ...schemaWorkLines(detail),
    ...streamLines(detail.streams),
    ...verificationLines(detail),
    ...throttleLines(detail),
    ...gateLines(detail),
    ...failureLines(detail),
  ].join('\n')
}

/** All migrations, a line each. */
export function migrationsText(migrations: readonly MigrationSummary[]): string {
  return textTable(
    ['id', 'name', 'stage', 'status', 'copied', 'lag', 'mismatches', 'updated'],
    migrations.map((migration) => [
      migration.id,
      migration.name,
      migration.stage === migration.desiredStage ? migration.stage : `${migration.stage} → ${migration.desiredStage}`,
      migration.status,
      `${Math.floor(migration.copied * 100)} %`,
      migration.lagMs === null ? '' : formatDuration(migration.lagMs),
      migration.openMismatches === 0 ? '' : formatCount(migration.openMismatches),
      migration.updatedAt,
    ]),
  )
}

function statusText({ status, stage, desiredStage }: MigrationDetail): string {
  const where = stage === desiredStage ? stage : `${stage} → ${desiredStage}`
  const paint =
    status === 'stopped' ? colour.red : status === 'holding' || status === 'paused' ? colour.yellow : colour.green
  return `${where}  ${paint(status)}`
}

function ladderText(detail: MigrationDetail): string {
  const rungs = detail.ladder.map(({ stage, state }) => {
    if (state === 'done') return colour.green(`✓ ${stage}`)
    if (state === 'current') return colour.cyan(`● ${stage}`)
    if (state === 'entering' || state === 'leaving') return colour.yellow(`◐ ${stage}`)
    return colour.dim(`○ ${stage}`)
  })
  return `  ${rungs.join(colour.dim(' ─ '))}`
}

function transitionLines({ transition }: MigrationDetail): string[] {
  if (!transition) return []
  return transition.steps
    .filter(({ state }) => state === 'running' || state === 'failed')
    .map(
      (step) =>
        `  ${step.state === 'failed' ? colour.red('✗') : '▸'} ${step.title}${step.detail ? colour.dim(`  ${step.detail}`) : ''}`,
    )
}

function copyLines({ copy }: MigrationDetail, width: number): string[] {
  if (copy.chunksTotal === 0) return []
  const share = copy.bytesTotal === 0 ? copy.chunksDone / copy.chunksTotal : copy.bytesDone / copy.bytesTotal
  const head = `  copy    ${bar(copy.chunksDone === copy.chunksTotal ? 1 : share, Math.min(30, width - 50))}`
  if (copy.chunksDone === copy.chunksTotal) {
    return [`${head}  ${formatCount(copy.rowsDone)} rows, ${formatBytes(copy.bytesDone)}`]
  }
  const eta = copy.etaSeconds === null ? '' : `, ${formatDuration(copy.etaSeconds * 1000)} left`
  const rate = `${formatBytes(copy.bytesPerSecond)}/s, ${formatCount(copy.rowsPerSecond)} rows/s${eta}`
  return [`${head}  ${formatBytes(copy.bytesDone)} of ${formatBytes(copy.bytesTotal)}  ${colour.dim(rate)}`]
}

function schemaWorkLines({ schemaWork }: MigrationDetail): string[] {
  const done = schemaWork.filter(({ state }) => state === 'done').length
  if (schemaWork.length === 0 || done === schemaWork.length) return []
  const running = schemaWork.filter(({ state }) => state === 'running').slice(0, 2)
  const what = running.map(
    ({ description, progress }) => `${description}${progress === null ? '' : ` ${Math.floor(progress * 100)} %`}`,
  )
  return [`  schema  ${done} of ${schemaWork.length}${what.length > 0 ? colour.dim(`  ${what.join('; ')}`) : ''}`]
}

function streamLines(streams: readonly StreamView[]): string[] {
  return streams
    .filter(({ state }) => state !== 'stopped' && state !== 'waiting')
    .map((stream) => {
      const lag = stream.lagMs === null ? '' : `lag ${formatDuration(stream.lagMs)}`
      const rate = stream.rowsPerSecond > 0 ? `${formatCount(stream.rowsPerSecond)} rows/s` : ''
      const parts = [stream.state, lag, rate, `${formatCount(stream.rowsApplied)} rows applied`].filter(
        (part) => part !== '',
      )
      const arrow = stream.direction === 'forward' ? '→' : '←'
      return `  stream  ${arrow} ${stream.shard}  ${stream.state === 'failed' ? colour.red(parts.join(', ')) : parts.join(', ')}`
    })
}

function verificationLines({ verification }: MigrationDetail): string[] {
  const { running, last, openMismatches, touched } = verification
  const state = running
    ? `running, ${running.rangesDone} of ${running.rangesTotal} ranges, ${formatCount(running.rowsDone)} rows`
    : last
      ? `last ${last.finishedAt ?? last.startedAt}: ${formatCount(last.rows)} rows, ${last.mismatches} mismatches`
      : null
  if (state === null && openMismatches === 0) return []
  const mismatches = openMismatches === 0 ? '' : colour.red(`  ${formatCount(openMismatches)} open mismatches`)
  return [
    `  verify  ${state ?? ''}${mismatches}${touched > 0 ? colour.dim(`  ${formatCount(touched)} keys to prove`) : ''}`,
  ]
}

function throttleLines({ throttle }: MigrationDetail): string[] {
  return throttle.state === 'open' ? [] : [`  throttle ${colour.yellow(throttle.state)}  ${throttle.reason}`]
}

/** The gates of the rung that is wanted next, as long as they keep it. */
function gateLines({ ladder, status }: MigrationDetail): string[] {
  if (status !== 'holding') return []
  const next = ladder.find(({ state }) => state === 'entering') ?? ladder.find(({ state }) => state === 'ahead')
  return (next?.gates ?? [])
    .filter(({ verdict }) => verdict !== 'pass')
    .map((evidence) => `  gate    ${colour.yellow(evidence.gate)}  ${evidence.detail}`)
}

function failureLines({ failure }: MigrationDetail): string[] {
  if (!failure) return []
  const again = failure.nextAttemptAt === null ? '' : colour.dim(`  tried again at ${failure.nextAttemptAt}`)
  return ['', `  ${colour.red(failure.code)} ${failure.message}${again}`, `    ${colour.dim('→')} ${failure.remedy}`]
}

function bar(share: number, width: number): string {
  const full = Math.round(Math.max(0, Math.min(1, share)) * width)
  return `${'█'.repeat(full)}${colour.dim('░'.repeat(width - full))} ${String(Math.floor(share * 100)).padStart(3)} %`
}
