import { useMemo, useState } from 'react'
import type { JournalEntry, MigrationDetail } from '../api/contract.ts'
import { entriesMax } from '../state/use-migration.ts'
import { moment, type Tone } from '../words.ts'
import { Empty } from './basics.tsx'

type Filter = 'everything' | 'asked by people' | 'stages and cutovers' | 'trouble'

const filters: Readonly<Record<Filter, (entry: JournalEntry) => boolean>> = {
  everything: () => true,
  'asked by people': (entry) => entry.actor !== 'engine',
  'stages and cutovers': (entry) => ['stage-entered', 'move-reversed', 'routing', 'aborted'].includes(entry.kind),
  trouble: (entry) => toneOf(entry) === 'bad' || toneOf(entry) === 'warn',
}

/** The journal, newest first: every decision and every transition, who took it, and when. */
export function Timeline({ migration, entries }: { migration: MigrationDetail; entries: readonly JournalEntry[] }) {
  const [filter, setFilter] = useState<Filter>('everything')
  const [open, setOpen] = useState<number | null>(null)
  const shown = useMemo(() => entries.filter(filters[filter]).toReversed(), [entries, filter])
  return (
    <>
      <div className="filters" role="toolbar" aria-label="What to show">
        {(Object.keys(filters) as Filter[]).map((name) => (
          <button
            key={name}
            type="button"
            className="chip"
            aria-pressed={filter === name}
            onClick={() => setFilter(name)}
          >
            {name}
          </button>
        ))}
        <span className="muted">version {migration.version}</span>
      </div>
      {shown.length === 0 && <Empty title="Nothing here">No entry of the journal is of this kind.</Empty>}
      <ol className="timeline">
        {shown.map((entry) => (
          <li key={entry.position} className={`tone-${toneOf(entry)}`}>
            <button
              type="button"
              aria-expanded={open === entry.position}
              onClick={() => setOpen(open === entry.position ? null : entry.position)}
            >
              <time dateTime={entry.at}>{moment(entry.at)}</time>
              <span className="timeline-text">{entry.summary}</span>
              <span className="timeline-kind">{entry.kind}</span>
              <span className="timeline-actor">{entry.actor}</span>
            </button>
            {open === entry.position && <pre>{JSON.stringify(entry.body, null, 2)}</pre>}
          </li>
        ))}
      </ol>
      {entries.length >= entriesMax && (
        <p className="muted timeline-end">
          These are the newest {entriesMax}; <code>crossfade history</code> has them all.
        </p>
      )}
    </>
  )
}

/** Kinds as the engine writes them; a new kind is shown in a neutral tone. */
function toneOf({ kind, actor, body }: JournalEntry): Tone {
  switch (kind) {
    case 'step-failed':
    case 'stopped':
    case 'gate-breached':
      return 'bad'
    case 'verification-finished':
      return Number(body['mismatches']) > 0 ? 'bad' : 'good'
    case 'move-reversed':
    case 'aborted':
      return 'warn'
    case 'stage-entered':
      return 'good'
    case 'routing': {
      const event = (body['note'] as { event?: string } | undefined)?.event
      return event === 'undone' || event === 'undoing' ? 'warn' : 'target'
    }
    default:
      return actor === 'engine' ? 'idle' : 'accent'
  }
}
