import type { ChunkView } from '../api/contract.ts'
import { Actions } from '../parts/actions.tsx'
import { Badge, Card, Empty, Figure, Loading, Meter, Trouble } from '../parts/basics.tsx'
import { ChunkMap } from '../parts/chunk-map.tsx'
import { Ladder } from '../parts/ladder.tsx'
import { PlanPanel } from '../parts/plan.tsx'
import { Plot } from '../parts/plot.tsx'
import { Cutovers, Findings, StreamTable, Throttle, Transition } from '../parts/progress.tsx'
import { ShardGrid } from '../parts/shards.tsx'
import { Timeline } from '../parts/timeline.tsx'
import { VerificationPanel } from '../parts/verification.tsx'
import { linkTo, type Tab, tabs } from '../router.ts'
import { useData } from '../state/use-data.ts'
import { type LiveMigration, useMigration } from '../state/use-migration.ts'
import { bytes, count, duration, milliseconds, percent, statusWord } from '../words.ts'

/** One migration, whole: where it stands, what it does, what proves it, and what can be done. */
export function MigrationPage({ id, tab }: { id: string; tab: Tab }) {
  const live = useMigration(id)
  const { migration, error, connected } = live
  if (!migration) return error === null ? <Loading what="the migration" /> : <Trouble error={error} />
  const status = statusWord[migration.status]
  return (
    <>
      <header className="page-head">
        <div>
          <h1>
            {migration.name} <Badge tone={status.tone}>{status.text}</Badge>
          </h1>
          <p className="muted">
            {migration.sourceShards} → {migration.targetShards} shards, {migration.tables} tables,{' '}
            <code>{migration.id}</code>
          </p>
        </div>
        <Actions migration={migration} onDone={live.reload} />
      </header>
      {!connected && (
        <div className="notice tone-warn">Live events are interrupted; the page comes back by itself.</div>
      )}
      {migration.failure && (
        <div className="trouble" role="alert">
          <div className="trouble-head">
            <code>{migration.failure.code}</code> {migration.failure.message}{' '}
            <span className="muted">({migration.failure.where})</span>
          </div>
          <div className="trouble-remedy">→ {migration.failure.remedy}</div>
          {migration.failure.retry && <div className="muted">It is tried again by itself.</div>}
        </div>
      )}
      <nav className="tabs" aria-label="Parts of the migration">
        {tabs.map((name) => (
          <a
            key={name}
            className={name === tab ? 'tab tab-on' : 'tab'}
            aria-current={name === tab ? 'page' : undefined}
            {...linkTo({ page: 'migration', id, tab: name })}
          >
            {name}
            {name === 'verification' && migration.openMismatches > 0 && (
              <b className="count">{migration.openMismatches}</b>
            )}
          </a>
        ))}
      </nav>
      {tab === 'overview' && <Overview live={live} />}
      {tab === 'copy' && <CopyPanel live={live} />}
      {tab === 'streams' && <StreamsPanel live={live} />}
      {tab === 'verification' && <VerificationPanel migration={migration} />}
      {tab === 'journal' && (
        <Card flush>
          <Timeline migration={migration} entries={live.entries} />
        </Card>
      )}
      {tab === 'plan' && <PlanPanel migration={migration} />}
    </>
  )
}

function Overview({ live }: { live: LiveMigration }) {
  const migration = live.migration!
  const { copy, verification } = migration
  const lag = migration.streams.reduce<number | null>(
    (worst, stream) => (stream.lagMs === null ? worst : Math.max(worst ?? 0, stream.lagMs)),
    null,
  )
  const latest = migration.cutovers.findLast((cutover) => cutover.pauseMs !== null)
  return (
    <>
      <Card flush>
        <Ladder migration={migration} />
      </Card>
      <div className="figures">
        <Figure
          label="copied"
          value={percent(migration.copied)}
          hint={copy.chunksTotal > 0 ? `${count(copy.rowsDone)} rows, ${bytes(copy.bytesDone)}` : 'not begun'}
        />
        <Figure
          label="lag, worst stream"
          value={milliseconds(lag)}
          hint={`${count(migration.streams.reduce((sum, stream) => sum + stream.rowsPerSecond, 0))} rows/s applied`}
        />
        <Figure
          label="open mismatches"
          value={count(migration.openMismatches)}
          tone={migration.openMismatches > 0 ? 'bad' : 'good'}
          hint={`${count(verification.touched)} keys to prove again`}
        />
        <Figure
          label="last write pause"
          value={milliseconds(latest?.pauseMs ?? null)}
          hint={latest ? `cutover to the ${latest.to}` : 'no cutover yet'}
        />
      </div>
      {migration.transition && <Transition transition={migration.transition} />}
      <Card title="Shards">
        <ShardGrid migration={migration} />
      </Card>
      <div className="columns">
        <Card title="Throttle">
          <Throttle throttle={migration.throttle} />
        </Card>
        <Card title="Cutovers" flush>
          <Cutovers cutovers={migration.cutovers} />
        </Card>
      </div>
      {migration.findings.length > 0 && (
        <Card title="Findings" flush>
          <Findings findings={migration.findings} />
        </Card>
      )}
    </>
  )
}

function CopyPanel({ live }: { live: LiveMigration }) {
  const migration = live.migration!
  const { copy } = migration
  const chunks = useData<readonly ChunkView[]>(
    `/migrations/${migration.id}/chunks`,
    `${copy.chunksDone} ${copy.chunksTotal}`,
  )
  const building = migration.schemaWork
  if (copy.chunksTotal === 0 && building.length === 0)
    return <Empty title="The copy has not begun">It starts when the migration enters dualwrite.</Empty>
  return (
    <>
      <div className="figures">
        <Figure label="rows" value={count(copy.rowsDone)} hint={`of about ${count(copy.rowsTotal)}`} />
        <Figure label="data" value={bytes(copy.bytesDone)} hint={`of about ${bytes(copy.bytesTotal)}`} />
        <Figure label="rate" value={`${bytes(copy.bytesPerSecond)}/s`} hint={`${count(copy.rowsPerSecond)} rows/s`} />
        <Figure
          label="time left"
          value={copy.chunksDone === copy.chunksTotal ? 'done' : duration(copy.etaSeconds)}
          hint={`${copy.chunksDone} of ${copy.chunksTotal} chunks`}
        />
      </div>
      <Card title="Chunks">{chunks.data ? <ChunkMap chunks={chunks.data} /> : <Loading what="chunks" />}</Card>
      <Plot
        migration={migration.id}
        title="Copied per second"
        lines={[{ series: 'copy.bytesPerSecond', label: 'copy' }]}
        format={(value) => (value === null ? '–' : `${bytes(value)}/s`)}
      />
      <Card title="Tables" flush>
        <div className="scroll-x">
          <table className="list">
            <thead>
              <tr>
                <th>table</th>
                <th className="wide">copied</th>
                <th className="number">rows</th>
                <th className="number">chunks</th>
              </tr>
            </thead>
            <tbody>
              {copy.tables.map((table) => (
                <tr key={table.table}>
                  <td>{table.table}</td>
                  <td className="wide">
                    <Meter
                      share={table.chunksTotal === 0 ? 0 : table.chunksDone / table.chunksTotal}
                      tone={table.chunksDone === table.chunksTotal ? 'good' : 'accent'}
                      label={table.table}
                    />
                  </td>
                  <td className="number">{count(table.rowsDone)}</td>
                  <td className="number">
                    {table.chunksDone}/{table.chunksTotal}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </Card>
      {building.length > 0 && (
        <Card
          title="Indexes and constraints"
          aside={`${building.filter((work) => work.state === 'done').length} of ${building.length}`}
          flush
        >
          <div className="scroll-x">
            <table className="list">
              <thead>
                <tr>
                  <th>what</th>
                  <th>where</th>
                  <th>when</th>
                  <th>state</th>
                </tr>
              </thead>
              <tbody>
                {building.map((work) => (
                  <tr key={work.id}>
                    <td>{work.description}</td>
                    <td>{work.target}</td>
                    <td>
                      {{ primary: 'before changes', secondary: 'beside changes', final: 'once caught up' }[work.phase]}
                    </td>
                    <td>
                      <Badge
                        tone={{ done: 'good', running: 'accent', waiting: 'idle', failed: 'bad' }[work.state] as 'good'}
                      >
                        {work.state}
                      </Badge>
                      {work.state === 'running' && work.progress !== null && ` ${percent(work.progress)}`}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </Card>
      )}
    </>
  )
}

function StreamsPanel({ live }: { live: LiveMigration }) {
  const migration = live.migration!
  if (migration.streams.length === 0)
    return <Empty title="No stream yet">Streams start when the migration enters dualwrite.</Empty>
  const of = (series: string) =>
    migration.streams.map((stream) => ({ series: `${series}.${stream.shard}`, label: stream.shard }))
  const shards = migration.shards.map((shard) => ({ series: `latencyMs.${shard.shard}`, label: shard.shard }))
  return (
    <>
      <Card flush>
        <StreamTable streams={migration.streams} />
      </Card>
      <div className="columns">
        <Plot migration={migration.id} title="Lag" lines={of('lagMs')} format={milliseconds} />
        <Plot
          migration={migration.id}
          title="Rows applied per second"
          lines={of('rowsPerSecond')}
          format={(value) => (value === null ? '–' : count(value))}
        />
        <Plot
          migration={migration.id}
          title="Latency of the live system (probe)"
          lines={shards}
          format={milliseconds}
        />
        <Plot
          migration={migration.id}
          title="Keys to prove again"
          lines={[{ series: 'touched', label: 'touched' }]}
          format={(value) => (value === null ? '–' : count(value))}
        />
      </div>
    </>
  )
}
