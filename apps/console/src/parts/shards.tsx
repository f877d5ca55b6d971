import type { MigrationDetail, StreamView } from '../api/contract.ts'
import { bytes, count, milliseconds } from '../words.ts'
import { Badge } from './basics.tsx'

type Shard = MigrationDetail['shards'][number]

/** Both sides' databases as tiles: who is there, who answers, how far the stream that reads it is behind. */
export function ShardGrid({ migration }: { migration: MigrationDetail }) {
  return (
    <div className="sides">
      {(['source', 'target'] as const).map((side) => (
        <div key={side} className="side">
          <h3 className={`side-name text-${side}`}>{side}</h3>
          <div className="tiles">
            {migration.shards
              .filter((shard) => shard.side === side)
              .map((shard) => (
                <Tile
                  key={shard.shard}
                  shard={shard}
                  stream={migration.streams.find((stream) => stream.shard === shard.shard)}
                  answers={answers(migration, shard)}
                />
              ))}
          </div>
        </div>
      ))}
    </div>
  )
}

/** Whether clients' reads and writes go to this database now. A target answers once any unit's authority is there. */
function answers(migration: MigrationDetail, shard: Shard): boolean {
  if (shard.side === 'source') return shard.authority === 'source'
  return Object.values(migration.routing.authority).includes('target')
}

function Tile({ shard, stream, answers }: { shard: Shard; stream: StreamView | undefined; answers: boolean }) {
  const state =
    shard.reachable === false
      ? 'down'
      : shard.slotLost
        ? 'lost'
        : shard.fenced
          ? 'fenced'
          : answers
            ? 'answers'
            : 'stands by'
  const tone = { down: 'bad', lost: 'bad', fenced: 'warn', answers: shard.side, 'stands by': 'idle' } as const
  return (
    <article className={`tile tile-${state.replace(' ', '-')}`}>
      <header>
        <strong>{shard.shard.slice(shard.side.length + 1)}</strong>
        <Badge tone={tone[state]}>{state}</Badge>
      </header>
      <dl>
        <dt>lag</dt>
        <dd>{stream ? milliseconds(stream.lagMs) : '–'}</dd>
        <dt>changes</dt>
        <dd>{stream && stream.state !== 'waiting' ? `${count(stream.rowsPerSecond)}/s` : '–'}</dd>
        <dt>size</dt>
        <dd>{bytes(shard.sizeBytes)}</dd>
        <dt>log held</dt>
        <dd>{bytes(shard.walHeldBytes)}</dd>
        <dt>probe</dt>
        <dd>{milliseconds(shard.latencyMs)}</dd>
        <dt>active</dt>
        <dd>{shard.activeBackends ?? '–'}</dd>
      </dl>
    </article>
  )
}
