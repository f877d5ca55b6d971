import { useMemo, useState } from 'react'
import type { JournalEntry, MigrationDetail } from '../api/contract.ts'
import { moment, type Tone } from '../words.ts'
import { Empty } from './basics.tsx'

/** The journal, newest first: every decision and every transition, who took it, and when. */
export function Timeline({ migration, entries }: { migration: MigrationDetail; entries: readonly JournalEntry[] }) {
  const [people, setPeople] = useState(false)
  const [open, setOpen] = useState<number | null>(null)
  const shown = useMemo(
    () => (people ? entries.filter((entry) => entry.actor !== 'engine') : entries).toReversed(),
    [entries, people],
  )
  return (
    <>
      <div className="filters">
        <button type="button" className={people ? 'chip' : 'chip chip-on'} onClick={() => setPeople(false)}>
          everything
        </button>
        <button type="button" className={people ? 'chip chip-on' : 'chip'} onClick={() => setPeople(true)}>
          asked by people
        </button>
        <span className="muted">version {migration.version}</span>
      </div>
      {shown.length === 0 && <Empty title="Nothing yet">The journal fills as soon as the migration is started.</Empty>}
      <ol className="timeline">
        {shown.map((entry) => (
          <li key={entry.position} className={`tone-${toneOf(entry.kind)}`}>
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
    </>
  )
}

function toneOf(kind: string): Tone {
  if (/fail|breach|lost|mismatch/i.test(kind)) return 'bad'
  if (/undo|undone|retreat|abort|pause|hold/i.test(kind)) return 'warn'
  if (/flip|cutover|entered|complete|stage/i.test(kind)) return 'good'
  return 'idle'
}
