import type { MigrationDetail, StreamView } from '../api/contract.ts'
import { bytes, count, milliseconds } from '../words.ts'
import { Badge, Card, Empty } from './basics.tsx'
import { Plot } from './plot.tsx'

/** A table of more streams than this comes after the plots. */
const longTable = 12

/** The streams of changes, both ways, and how the live system bears them. */
export function StreamsPanel({ migration }: { migration: MigrationDetail }) {
  if (migration.streams.length === 0) {
    return migration.stage === 'complete' ? (
      <Empty title="The streams are gone">The target answers alone.</Empty>
    ) : (
      <Empty title="No stream yet">Streams start on the way to dualwrite, once the snapshot is open.</Empty>
    )
  }
  const of = (series: string) =>
    migration.streams.map((stream) => ({ series: `${series}.${stream.shard}`, label: stream.shard }))
  const shards = migration.shards.map((shard) => ({ series: `latencyMs.${shard.shard}`, label: shard.shard }))
  const table = (
    <Card flush>
      <StreamTable streams={migration.streams} />
    </Card>
  )
  const isLong = migration.streams.length > longTable
  return (
    <>
      {!isLong && table}
      <div className="columns">
        <Plot migration={migration.id} title="Lag" lines={of('lagMs')} format={milliseconds} />
        <Plot migration={migration.id} title="Rows applied per second" lines={of('rowsPerSecond')} format={count} />
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
          format={count}
        />
      </div>
      {isLong && table}
    </>
  )
}

const tone = { waiting: 'idle', snapshot: 'accent', following: 'good', failed: 'bad', stopped: 'idle' } as const

function StreamTable({ streams }: { streams: readonly StreamView[] }) {
  return (
    <div className="scroll-x">
      <table className="list">
        <thead>
          <tr>
            <th>reads</th>
            <th>direction</th>
            <th>state</th>
            <th className="number">lag</th>
            <th className="number">behind</th>
            <th className="number">rows/s</th>
            <th className="number">rows</th>
            <th className="number">to prove</th>
            <th>applied</th>
            <th>proven</th>
          </tr>
        </thead>
        <tbody>
          {streams.map((stream) => (
            <tr key={stream.shard}>
              <td>
                <strong>{stream.shard}</strong>
              </td>
              <td>{stream.direction === 'forward' ? 'to the target' : 'to the source'}</td>
              <td>
                <Badge tone={tone[stream.state]}>{stream.state}</Badge>
              </td>
              <td className="number">{milliseconds(stream.lagMs)}</td>
              <td className="number">{bytes(stream.lagBytes)}</td>
              <td className="number">{count(stream.rowsPerSecond)}</td>
              <td className="number">{count(stream.rowsApplied)}</td>
              <td className="number">{count(stream.touched)}</td>
              <td>
                <code>{stream.applied ?? '–'}</code>
              </td>
              <td>
                <code>{stream.proven ?? '–'}</code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
