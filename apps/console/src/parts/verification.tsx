import type { MigrationDetail } from '../api/contract.ts'
import { count, moment } from '../words.ts'
import { Card, Figure, Meter } from './basics.tsx'
import { MismatchExplorer } from './mismatches.tsx'
import { Reports } from './reports.tsx'

/** What is proven, what is being looked at, what differs, and every report. */
export function VerificationPanel({ migration }: { migration: MigrationDetail }) {
  const { running, last, openMismatches, touched } = migration.verification
  const compared = last !== null || openMismatches > 0
  return (
    <>
      <div className="figures">
        <Figure
          label="open mismatches"
          value={compared ? count(openMismatches) : '–'}
          {...(compared ? { tone: openMismatches > 0 ? ('bad' as const) : ('good' as const) } : {})}
          hint={
            openMismatches > 0
              ? 'see below, by key and column'
              : compared
                ? 'both sides are equal'
                : 'nothing compared yet'
          }
        />
        <Figure label="keys not yet proven again" value={count(touched)} hint="touched by the latest changes" />
        <Figure
          label="rows in the last report"
          value={last ? count(last.rows) : '–'}
          hint={last ? moment(last.finishedAt) : 'none yet'}
        />
      </div>
      {running && (
        <Card
          title={running.scope === 'repair' ? 'Repairing and verifying' : 'Verifying'}
          aside={`${count(running.rowsDone)} rows since ${moment(running.startedAt)}`}
        >
          <Meter share={running.rangesTotal ? running.rangesDone / running.rangesTotal : 0} label="ranges verified" />
          <p className="muted">
            {count(running.rangesDone)} of {count(running.rangesTotal)} ranges
          </p>
        </Card>
      )}
      <MismatchExplorer migration={migration} />
      <Reports migration={migration} />
    </>
  )
}
