import type { MigrationSummary, WorkerView } from '../api/contract.ts'
import { Badge, Empty, Loading, Meter, Trouble } from '../parts/basics.tsx'
import { linkTo } from '../router.ts'
import { useData } from '../state/use-data.ts'
import { useTick } from '../state/use-tick.ts'
import { ago, count, milliseconds, percent, stageOrder, statusWord } from '../words.ts'

/** Every migration at a glance. */
export function MigrationsPage() {
  const now = useTick(2_000)
  const { data, error } = useData<readonly MigrationSummary[]>('/migrations', now)
  const workers = useData<readonly WorkerView[]>('/workers', now)
  const alive = workers.data?.filter((worker) => worker.alive).length ?? 0
  return (
    <>
      <header className="page-head">
        <div>
          <h1>Migrations</h1>
          <p className="muted">
            {data ? `${data.length} in the control database` : ' '}
            {workers.data && `, ${alive} worker${alive === 1 ? '' : 's'}`}
          </p>
        </div>
      </header>
      {error !== null && <Trouble error={error} />}
      {workers.data && alive === 0 && data && data.length > 0 && (
        <div className="notice tone-warn">
          No worker is running, so nothing moves. Start one: <code>crossfade server --roles worker</code>
        </div>
      )}
      {!data && error === null && <Loading what="migrations" />}
      {data?.length === 0 && (
        <Empty title="No migration yet">
          <p>Look at a database and let Crossfade write a plan, then apply it:</p>
          <pre>{'npx crossfade init postgres://…\nnpx crossfade apply move.plan.ts'}</pre>
        </Empty>
      )}
      <div className="migrations">
        {data?.map((migration) => (
          <a
            key={migration.id}
            className="migration-card"
            {...linkTo({ page: 'migration', id: migration.id, tab: 'overview' })}
          >
            <div className="migration-card-head">
              <strong>{migration.name}</strong>
              <Badge tone={statusWord[migration.status].tone}>{statusWord[migration.status].text}</Badge>
            </div>
            <div className="steps" role="img" aria-label={`at ${migration.stage}`}>
              {stageOrder.map((stage) => (
                <span
                  key={stage}
                  className={
                    stage === migration.stage
                      ? 'on'
                      : stageOrder.indexOf(stage) < stageOrder.indexOf(migration.stage)
                        ? 'past'
                        : ''
                  }
                >
                  {stage}
                </span>
              ))}
            </div>
            {migration.copied < 1 && migration.stage !== 'complete' && (
              <Meter share={migration.copied} label="copied" />
            )}
            <dl className="facts">
              <div>
                <dt>shards</dt>
                <dd>
                  {migration.sourceShards} → {migration.targetShards}
                </dd>
              </div>
              <div>
                <dt>tables</dt>
                <dd>{migration.tables}</dd>
              </div>
              <div>
                <dt>copied</dt>
                <dd>{percent(migration.copied)}</dd>
              </div>
              <div>
                <dt>lag</dt>
                <dd>{milliseconds(migration.lagMs)}</dd>
              </div>
              <div>
                <dt>mismatches</dt>
                <dd className={migration.openMismatches > 0 ? 'text-bad' : ''}>{count(migration.openMismatches)}</dd>
              </div>
              <div>
                <dt>updated</dt>
                <dd>{ago(migration.updatedAt, now)}</dd>
              </div>
            </dl>
            {migration.failure && (
              <div className="trouble">
                <code>{migration.failure.code}</code> {migration.failure.message}
              </div>
            )}
          </a>
        ))}
      </div>
    </>
  )
}
