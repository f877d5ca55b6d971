import type { ReactNode } from 'react'
import type { MigrationSummary, WorkerView } from '../api/contract.ts'
import { Badge, Empty, Loading, Meter, Trouble } from '../parts/basics.tsx'
import { linkTo } from '../router.ts'
import { useData } from '../state/use-data.ts'
import { useTick } from '../state/use-tick.ts'
import { useTitle } from '../state/use-title.ts'
import { ago, count, milliseconds, percent, stageOrder, statusText, statusWord } from '../words.ts'

/** Every migration at a glance; those under way first. */
export function MigrationsPage() {
  useTitle('Migrations')
  const now = useTick(2_000)
  const { data, error } = useData<readonly MigrationSummary[]>('/migrations', now)
  const workers = useData<readonly WorkerView[]>('/workers', now)
  const alive = workers.data?.filter((worker) => worker.alive).length ?? 0
  const over = data?.filter(isOver) ?? []
  const running = data?.filter((migration) => !isOver(migration)) ?? []
  return (
    <>
      <header className="page-head">
        <div>
          <h1>Migrations</h1>
          <p className="muted">
            {data && `${running.length} under way`}
            {over.length > 0 && `, ${over.length} over`}
            {workers.data && `, ${alive} worker${alive === 1 ? '' : 's'}`}
          </p>
        </div>
      </header>
      {error !== null && <Trouble error={error} />}
      {workers.data && alive === 0 && running.length > 0 && (
        <div className="notice tone-warn">
          No worker is running, so nothing moves. Start one: <code>npx crossfade server --roles worker</code>
        </div>
      )}
      {!data && error === null && <Loading what="migrations" />}
      {data?.length === 0 && (
        <Empty title="No migration yet">
          <p>Look at a database and let Crossfade write a plan, then apply it:</p>
          <pre>{'npx crossfade init postgres://…\nnpx crossfade apply move.plan.ts'}</pre>
        </Empty>
      )}
      <Migrations of={running} now={now} />
      {over.length > 0 && (
        <>
          <h2 className="section">Over</h2>
          <Migrations of={over} now={now} />
        </>
      )}
    </>
  )
}

function isOver({ status }: MigrationSummary): boolean {
  return status === 'complete' || status === 'aborted'
}

function Migrations({ of, now }: { of: readonly MigrationSummary[]; now: number }) {
  if (of.length === 0) return null
  return (
    <ul className="migrations">
      {of.map((migration) => (
        <li key={migration.id}>
          <MigrationCard migration={migration} now={now} />
        </li>
      ))}
    </ul>
  )
}

function MigrationCard({ migration, now }: { migration: MigrationSummary; now: number }) {
  const at = stageOrder.indexOf(migration.stage)
  const { tone } = statusWord[migration.status]
  return (
    <a
      className={isOver(migration) ? 'migration-card migration-card-over' : 'migration-card'}
      {...linkTo({ page: 'migration', id: migration.id, tab: 'overview' })}
    >
      <div className="migration-card-head">
        <strong>{migration.name}</strong>
        <Badge tone={tone}>{statusText(migration)}</Badge>
      </div>
      {!isOver(migration) && (
        <div className="steps" role="img" aria-label={`at ${migration.stage}, asked for ${migration.desiredStage}`}>
          {stageOrder.map((stage, index) => (
            <span
              key={stage}
              className={index === at ? 'on' : index < at ? 'past' : stage === migration.desiredStage ? 'wanted' : ''}
            >
              {stage}
            </span>
          ))}
        </div>
      )}
      {migration.copied < 1 && !isOver(migration) && <Meter share={migration.copied} label="copied" />}
      <dl className="facts">
        <Fact name="shards">
          {migration.sourceShards} → {migration.targetShards}
        </Fact>
        <Fact name="tables">{migration.tables}</Fact>
        {!isOver(migration) && <Fact name="copied">{percent(migration.copied)}</Fact>}
        {!isOver(migration) && <Fact name="lag">{milliseconds(migration.lagMs)}</Fact>}
        <Fact name="mismatches">
          <span className={migration.openMismatches > 0 ? 'text-bad' : ''}>{count(migration.openMismatches)}</span>
        </Fact>
        <Fact name="updated">{ago(migration.updatedAt, now)}</Fact>
      </dl>
      {migration.failure && (
        <div className="trouble">
          <code>{migration.failure.code}</code> {migration.failure.message}
        </div>
      )}
    </a>
  )
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}
