import { useState } from 'react'
import type { ChunkView, MigrationDetail } from '../api/contract.ts'
import { useData } from '../state/use-data.ts'
import { useThrottled } from '../state/use-throttled.ts'
import { bytes, count, duration, percent } from '../words.ts'
import { Badge, Card, Empty, Figure, Loading, Meter, TableFilter, Trouble } from './basics.tsx'
import { ChunkMap } from './chunk-map.tsx'
import { Plot } from './plot.tsx'

/** The chunk map is read again at most this often, and less often the bigger it is. */
const chunksMs = 1_000
const chunksMsPerChunk = 0.5

/** The copy of what existed: how far, how fast, chunk by chunk and table by table, and what is built after it. */
export function CopyPanel({ migration }: { migration: MigrationDetail }) {
  const { copy, schemaWork } = migration
  if (copy.chunksTotal === 0 && schemaWork.length === 0) {
    return migration.stage === 'off' ? (
      <Empty title="The copy has not begun">It starts when the migration leaves `off` for dualwrite.</Empty>
    ) : (
      <Empty title="The copy is over">Its chunks were let go of; the journal tells what was copied.</Empty>
    )
  }
  return (
    <>
      <div className="figures">
        <Figure label="rows" value={count(copy.rowsDone)} hint={`of about ${count(copy.rowsTotal)}`} />
        <Figure label="data" value={bytes(copy.bytesDone)} hint={`of about ${bytes(copy.bytesTotal)}`} />
        <Figure label="rate" value={`${bytes(copy.bytesPerSecond)}/s`} hint={`${count(copy.rowsPerSecond)} rows/s`} />
        <Figure
          label="time left"
          value={copy.chunksDone === copy.chunksTotal ? 'done' : duration(copy.etaSeconds)}
          hint={`${count(copy.chunksDone)} of ${count(copy.chunksTotal)} chunks`}
        />
      </div>
      <Chunks migration={migration} />
      <Plot
        migration={migration.id}
        title="Copied per second"
        lines={[{ series: 'copy.bytesPerSecond', label: 'copy' }]}
        format={(value) => (value === null ? '–' : `${bytes(value)}/s`)}
      />
      <Tables copy={copy} />
      {schemaWork.length > 0 && <SchemaWork work={schemaWork} />}
    </>
  )
}

function Chunks({ migration }: { migration: MigrationDetail }) {
  const { chunksDone, chunksTotal, bytesDone } = migration.copy
  const moment = useThrottled(`${chunksDone} ${chunksTotal} ${bytesDone}`, chunksMs + chunksTotal * chunksMsPerChunk)
  const { data, error } = useData<readonly ChunkView[]>(`/migrations/${migration.id}/chunks`, moment)
  const troubled = data?.filter((chunk) => chunk.state === 'failed' || (chunk.attempts > 1 && chunk.state !== 'done'))
  return (
    <Card title="Chunks" aside={`${count(chunksDone)} of ${count(chunksTotal)}`}>
      {error !== null && !data ? (
        <Trouble error={error} />
      ) : data ? (
        <ChunkMap chunks={data} />
      ) : (
        <Loading what="chunks" />
      )}
      {troubled && troubled.length > 0 && <TroubledChunks chunks={troubled} />}
    </Card>
  )
}

const troubledShownMax = 10

function TroubledChunks({ chunks }: { chunks: readonly ChunkView[] }) {
  return (
    <ul className="troubled">
      {chunks.slice(0, troubledShownMax).map((chunk) => (
        <li key={chunk.id}>
          <Badge tone={chunk.state === 'failed' ? 'bad' : 'warn'}>{chunk.state}</Badge> <code>{chunk.id}</code>{' '}
          <span className="muted">attempt {chunk.attempts}</span>
        </li>
      ))}
      {chunks.length > troubledShownMax && <li className="muted">and {chunks.length - troubledShownMax} more</li>}
    </ul>
  )
}

function Tables({ copy }: { copy: MigrationDetail['copy'] }) {
  const [filter, setFilter] = useState('')
  const shown = copy.tables.filter((table) => table.table.includes(filter))
  return (
    <Card title="Tables" aside={<TableFilter total={copy.tables.length} value={filter} onChange={setFilter} />} flush>
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
            {shown.map((table) => (
              <tr key={table.table}>
                <td className="name">{table.table}</td>
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
  )
}

const phaseWords = { primary: 'before changes', secondary: 'beside changes', final: 'once caught up' } as const
const workTone = { done: 'good', running: 'accent', waiting: 'idle', failed: 'bad' } as const
/** What runs or failed is what people look for. */
const workOrder = ['failed', 'running', 'waiting', 'done']

function SchemaWork({ work }: { work: MigrationDetail['schemaWork'] }) {
  const done = work.filter((each) => each.state === 'done').length
  return (
    <Card title="Indexes and constraints" aside={`${done} of ${work.length}`} flush>
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
            {work
              .toSorted((one, other) => workOrder.indexOf(one.state) - workOrder.indexOf(other.state))
              .map((each) => (
                <tr key={each.id}>
                  <td className="name">{each.description}</td>
                  <td>{each.target}</td>
                  <td>{phaseWords[each.phase]}</td>
                  <td>
                    <Badge tone={workTone[each.state]}>{each.state}</Badge>
                    {each.state === 'running' && each.progress !== null && ` ${percent(each.progress)}`}
                  </td>
                </tr>
              ))}
          </tbody>
        </table>
      </div>
    </Card>
  )
}
