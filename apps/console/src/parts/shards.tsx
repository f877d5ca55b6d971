import { useState } from 'react'
import type { MigrationDetail, StreamView } from '../api/contract.ts'
import { bytes, count, milliseconds } from '../words.ts'
import { Badge } from './basics.tsx'

type Shard = MigrationDetail['shards'][number]
type State = 'down' | 'lost' | 'fenced' | 'answers' | 'stands by'

interface Seen {
  readonly shard: Shard
  readonly stream: StreamView | undefined
  readonly state: State
}

/** Sides with more shards than this are shown as a grid of small tiles; one is opened at a time. */
const bigTilesMax = 12

/** Both sides' databases as tiles: who is there, who answers, how far the stream that reads it is behind. */
export function ShardGrid({ migration }: { migration: MigrationDetail }) {
  return (
    <div className="sides">
      {(['source', 'target'] as const).map((side) => {
        const shards = migration.shards
          .filter((shard) => shard.side === side)
          .map((shard) => ({
            shard,
            stream: migration.streams.find((stream) => stream.shard === shard.shard),
            state: stateOf(migration, shard),
          }))
        return (
          <section key={side} className="side">
            <h3 className={`side-name text-${side}`}>
              {side} <span className="muted">{summaryOf(shards)}</span>
            </h3>
            {shards.length > bigTilesMax ? (
              <SmallTiles shards={shards} />
            ) : (
              <div className="tiles">
                {shards.map((seen) => (
                  <Tile key={seen.shard.shard} {...seen} />
                ))}
              </div>
            )}
          </section>
        )
      })}
    </div>
  )
}

function stateOf(migration: MigrationDetail, shard: Shard): State {
  if (shard.reachable === false) return 'down'
  if (shard.slotLost) return 'lost'
  if (shard.fenced) return 'fenced'
  return answers(migration, shard) ? 'answers' : 'stands by'
}

/** Whether clients' reads and writes go to this database now. A target answers once any unit's authority is there. */
function answers(migration: MigrationDetail, shard: Shard): boolean {
  if (shard.side === 'source') return shard.authority === 'source'
  return Object.values(migration.routing.authority).includes('target')
}

function toneOf(state: State, side: Shard['side']) {
  return ({ down: 'bad', lost: 'bad', fenced: 'warn', answers: side, 'stands by': 'idle' } as const)[state]
}

/** `3 answer, 1 down`: only the states that occur. */
function summaryOf(shards: readonly Seen[]): string {
  const words = { down: 'down', lost: 'lost their slot', fenced: 'fenced', answers: 'answer', 'stands by': 'stand by' }
  return Object.entries(words)
    .map(([state, word]) => [shards.filter((seen) => seen.state === state).length, word] as const)
    .filter(([number]) => number > 0)
    .map(([number, word]) => `${number} ${word}`)
    .join(', ')
}

function SmallTiles({ shards }: { shards: readonly Seen[] }) {
  const [open, setOpen] = useState<string | null>(null)
  const opened = shards.find((seen) => seen.shard.shard === open)
  const skipped = commonLength(shards.map(({ shard }) => nameOf(shard)))
  return (
    <>
      <div className="small-tiles">
        {shards.map(({ shard, stream, state }) => (
          <button
            key={shard.shard}
            type="button"
            className={`small-tile tone-${toneOf(state, shard.side)}`}
            aria-expanded={open === shard.shard}
            title={`${shard.shard}: ${state}, lag ${milliseconds(stream?.lagMs ?? null)}`}
            onClick={() => setOpen(open === shard.shard ? null : shard.shard)}
          >
            <span className="dot" />
            <span className="small-tile-name">{nameOf(shard).slice(skipped)}</span>
          </button>
        ))}
      </div>
      {opened && <Tile {...opened} />}
    </>
  )
}

function Tile({ shard, stream, state }: Seen) {
  return (
    <article className={`tile tile-${state.replace(' ', '-')}`}>
      <header>
        <strong title={shard.shard}>{nameOf(shard)}</strong>
        <Badge tone={toneOf(state, shard.side)}>{state}</Badge>
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

function nameOf(shard: Shard): string {
  return shard.shard.startsWith(`${shard.side}/`) ? shard.shard.slice(shard.side.length + 1) : shard.shard
}

/** How many characters all names begin with alike, up to the last mark between words; those tell nothing in a small tile. */
function commonLength(names: readonly string[]): number {
  const [first = '', ...others] = names
  let length = 0
  while (length < first.length && others.every((name) => name[length] === first[length])) length += 1
  return /^.*[^a-z0-9]/i.exec(first.slice(0, length))?.[0].length ?? 0
}
