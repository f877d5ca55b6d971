import type { MigrationDetail } from '../api/contract.ts'
import { bytes, count, milliseconds, percent } from '../words.ts'
import { Card, Figure } from './basics.tsx'
import { Cutovers } from './cutovers.tsx'
import { Findings } from './findings.tsx'
import { GatesCard } from './gates.tsx'
import { Ladder } from './ladder.tsx'
import { ShardGrid } from './shards.tsx'
import { Throttle } from './throttle.tsx'
import { Transition } from './transition.tsx'

/** Everything that matters now, on one page. */
export function Overview({ migration, reload }: { migration: MigrationDetail; reload: () => void }) {
  const { verification, streams } = migration
  const compared = verification.last !== null || migration.openMismatches > 0
  const over = migration.status === 'complete' || migration.status === 'aborted'
  const lag = streams.reduce<number | null>(
    (worst, stream) => (stream.lagMs === null ? worst : Math.max(worst ?? 0, stream.lagMs)),
    null,
  )
  const rate = streams.reduce((sum, stream) => sum + stream.rowsPerSecond, 0)
  const latest = migration.cutovers.findLast((cutover) => cutover.pauseMs !== null)
  return (
    <>
      <Card flush>
        <Ladder migration={migration} />
      </Card>
      <div className="figures">
        <Figure label="copied" value={percent(migration.copied)} hint={copiedHint(migration)} />
        <Figure
          label="lag, worst stream"
          value={milliseconds(lag)}
          hint={streams.length === 0 ? 'no stream runs' : `${count(rate)} rows/s applied`}
        />
        <Figure
          label="open mismatches"
          value={compared ? count(migration.openMismatches) : '–'}
          {...(compared ? { tone: migration.openMismatches > 0 ? ('bad' as const) : ('good' as const) } : {})}
          hint={compared ? `${count(verification.touched)} keys to prove again` : 'nothing compared yet'}
        />
        <Figure
          label="last write pause"
          value={milliseconds(latest?.pauseMs ?? null)}
          hint={latest ? (latest.outcome === 'undone' ? 'put back' : `cutover to the ${latest.to}`) : 'no cutover yet'}
        />
      </div>
      {migration.transition && <Transition transition={migration.transition} />}
      {!over && <GatesCard migration={migration} reload={reload} />}
      <Card title="Shards">
        <ShardGrid migration={migration} />
      </Card>
      <div className="columns">
        {!over && (
          <Card title="Throttle">
            <Throttle throttle={migration.throttle} />
          </Card>
        )}
        <Card title="Cutovers" flush>
          <Cutovers cutovers={migration.cutovers} />
        </Card>
      </div>
      {migration.findings.length > 0 && (
        <Card title="Findings" aside={`${migration.findings.length}`} flush>
          <Findings findings={migration.findings} />
        </Card>
      )}
    </>
  )
}

function copiedHint({ copy, status, copied }: MigrationDetail): string {
  if (copy.chunksTotal > 0) return `${count(copy.rowsDone)} rows, ${bytes(copy.bytesDone)}`
  if (status === 'aborted') return 'taken back'
  return copied === 1 ? 'all of it' : 'not begun'
}
