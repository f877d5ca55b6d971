import { useEffect, useRef } from 'react'
import type { MigrationDetail } from '../api/contract.ts'
import { useSay } from '../state/toasts.tsx'
import type { LiveMigration } from '../state/use-migration.ts'
import { useTick } from '../state/use-tick.ts'
import { duration, milliseconds, moment } from '../words.ts'

/** What must be seen on every tab: a cutover that runs, a failure, the end, a server that does not answer. */
export function Banners({ live }: { live: LiveMigration }) {
  const migration = live.migration!
  useCutoverToast(migration)
  return (
    <>
      {!live.connected && (
        <div className="notice tone-warn" role="status">
          The server does not answer. What you see is from {moment(new Date(live.asOf).toISOString())}; the page goes on
          by itself.
        </div>
      )}
      <CutoverBanner migration={migration} />
      {migration.failure && <FailureBanner failure={migration.failure} />}
      <EndBanner migration={migration} />
    </>
  )
}

function CutoverBanner({ migration }: { migration: MigrationDetail }) {
  const running = migration.cutovers.at(-1)
  const now = useTick(200)
  if (running?.outcome !== 'running') return null
  const fenced = migration.routing.fenced
  return (
    <div className="cutover-banner" role="status">
      <span className="cutover-pulse" />
      <div>
        <strong>Cutting over to the {running.to}</strong>
        {running.attempt > 1 && `, attempt ${running.attempt}`}:{' '}
        {fenced.length > 0
          ? `writes to ${fenced.join(', ')} are held until the other side has everything.`
          : 'the fences are being closed.'}
        <div className="muted">
          {running.units.join(', ')}, for {milliseconds(Math.max(0, now - Date.parse(running.startedAt)))}; past its
          deadline everything is put back.
        </div>
      </div>
    </div>
  )
}

function FailureBanner({ failure }: { failure: NonNullable<MigrationDetail['failure']> }) {
  const now = useTick(1_000)
  const next = failure.nextAttemptAt === null ? null : (Date.parse(failure.nextAttemptAt) - now) / 1_000
  return (
    <div className="trouble" role="alert">
      <div className="trouble-head">
        <code>{failure.code}</code> {failure.message}{' '}
        <span className="muted">
          ({failure.where}, {moment(failure.at)})
        </span>
      </div>
      <div className="trouble-remedy">→ {failure.remedy}</div>
      {failure.retry && (
        <div className="muted">
          It is tried again by itself{next !== null && next > 0 ? ` in ${duration(Math.ceil(next))}` : ''}.
        </div>
      )}
    </div>
  )
}

function EndBanner({ migration }: { migration: MigrationDetail }) {
  const took = duration((Date.parse(migration.updatedAt) - Date.parse(migration.createdAt)) / 1_000)
  if (migration.status === 'complete') {
    const pauses = migration.cutovers.flatMap((cutover) =>
      cutover.outcome === 'flipped' ? [cutover.pauseMs ?? 0] : [],
    )
    return (
      <div className="end tone-good">
        <strong>Complete.</strong> The target answers alone; streams, slots and everything else of ours are gone.
        <span className="muted">
          {' '}
          It took {took}, with {pauses.length} cutover{pauses.length === 1 ? '' : 's'}
          {pauses.length > 0 && ` and a longest write pause of ${milliseconds(Math.max(...pauses))}`}.
        </span>
      </div>
    )
  }
  if (migration.status === 'aborted') {
    return (
      <div className="end tone-idle">
        <strong>Aborted.</strong> Everything was taken back and removed; the source is as it was.
        <span className="muted"> It ran for {took}. Apply the plan again to start anew.</span>
      </div>
    )
  }
  return null
}

/** A cutover is over before one has read that it runs, so its outcome is told. */
function useCutoverToast(migration: MigrationDetail): void {
  const say = useSay()
  const latest = migration.cutovers.at(-1)
  const key = latest && latest.pauseMs !== null ? `${latest.startedAt} ${latest.attempt} ${latest.outcome}` : null
  const told = useRef(key)
  useEffect(() => {
    if (key === null || key === told.current || !latest) return
    told.current = key
    const pause = milliseconds(latest.pauseMs)
    if (latest.outcome === 'flipped') say(`The ${latest.to} answers now; writes were held for ${pause}`, 'good')
    if (latest.outcome === 'undone') say(`The cutover was put back after ${pause}; nothing has changed`, 'warn')
  })
}
