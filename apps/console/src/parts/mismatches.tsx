import { useState } from 'react'
import type { MigrationDetail, Mismatch } from '../api/contract.ts'
import { useData } from '../state/use-data.ts'
import { exact } from '../words.ts'
import { Badge, Card, Empty, Loading, Trouble } from './basics.tsx'

const shownMax = 500

/** Open differences by table, each with its key and, column by column, the value of either side. */
export function MismatchExplorer({ migration }: { migration: MigrationDetail }) {
  const { data, error } = useData<readonly Mismatch[]>(
    `/migrations/${migration.id}/mismatches?limit=${shownMax}`,
    `${migration.openMismatches} ${migration.verification.last?.id}`,
  )
  const [table, setTable] = useState<string | null>(null)
  const [open, setOpen] = useState<string | null>(null)
  if (!data) return error === null ? <Loading what="mismatches" /> : <Trouble error={error} />
  if (data.length === 0) {
    return (
      <Card title="Mismatches">
        <Empty title="No differences">
          {migration.verification.last
            ? 'Every row that was compared is the same on both sides.'
            : 'Nothing has been compared yet: verification starts once the snapshot is copied.'}
        </Empty>
      </Card>
    )
  }
  const tables = [...Map.groupBy(data, nameOf)].sort(([one], [other]) => one.localeCompare(other))
  const shown = table === null ? data : data.filter((mismatch) => nameOf(mismatch) === table)
  return (
    <Card
      title="Mismatches"
      aside={
        migration.openMismatches > data.length
          ? `the first ${exact(data.length)} of ${exact(migration.openMismatches)}`
          : `${exact(data.length)} open`
      }
      flush
    >
      {tables.length > 1 && (
        <div className="filters" role="toolbar" aria-label="Tables">
          <button type="button" className="chip" aria-pressed={table === null} onClick={() => setTable(null)}>
            all tables
          </button>
          {tables.map(([name, own]) => (
            <button
              key={name}
              type="button"
              className="chip"
              aria-pressed={table === name}
              onClick={() => setTable(name)}
            >
              {name} <b>{own.length}</b>
            </button>
          ))}
        </div>
      )}
      <ul className="mismatches">
        {shown.map((mismatch) => {
          const id = `${mismatch.kind} ${nameOf(mismatch)} ${JSON.stringify(mismatch.key)} ${mismatch.target}`
          return (
            <li key={id}>
              <button
                type="button"
                className="mismatch-row"
                aria-expanded={open === id}
                onClick={() => setOpen(open === id ? null : id)}
              >
                <Badge tone={mismatch.kind === 'different' ? 'warn' : 'bad'}>{mismatch.kind}</Badge>
                <code className="mismatch-key">
                  {nameOf(mismatch)} {keyText(mismatch)}
                </code>
                <span className="muted">
                  {mismatch.columns.map((column) => column.column).join(', ') || (mismatch.target ?? mismatch.source)}
                </span>
              </button>
              {open === id && <Difference mismatch={mismatch} />}
            </li>
          )
        })}
      </ul>
    </Card>
  )
}

function nameOf({ table }: Mismatch): string {
  return `${table.schema}.${table.name}`
}

function keyText({ key }: Mismatch): string {
  return Object.entries(key)
    .map(([name, value]) => `${name}=${value ?? 'NULL'}`)
    .join(', ')
}

function Difference({ mismatch }: { mismatch: Mismatch }) {
  if (mismatch.columns.length === 0) {
    const sentence = {
      missing: `The row is on ${mismatch.source ?? 'the source'} and on no target.`,
      extra: `The row is on ${mismatch.target ?? 'the target'} and on no source.`,
      misplaced: `The row is on ${mismatch.target ?? 'a target'}, but its key belongs to another shard.`,
      duplicated: `The row is on more than one shard, ${mismatch.target ?? 'a target'} among them.`,
      different: 'The rows differ.',
    }
    return <p className="difference muted">{sentence[mismatch.kind]}</p>
  }
  return (
    <div className="difference scroll-x">
      <table>
        <thead>
          <tr>
            <th>column</th>
            <th className="text-source">{mismatch.source ?? 'source'}</th>
            <th className="text-target">{mismatch.target ?? 'target'}</th>
          </tr>
        </thead>
        <tbody>
          {mismatch.columns.map((column) => (
            <tr key={column.column}>
              <th>{column.column}</th>
              <td>
                <Value text={column.source} other={column.target} />
              </td>
              <td>
                <Value text={column.target} other={column.source} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

/** A value with the part that differs marked, so that one flipped character in a long text is seen. */
function Value({ text, other }: { text: string | null; other: string | null }) {
  if (text === null) return <code className="null">NULL</code>
  if (text === '') return <code className="null">empty text</code>
  if (other === null) return <code>{text}</code>
  let start = 0
  while (start < text.length && text[start] === other[start]) start++
  let end = 0
  while (end < text.length - start && end < other.length - start && text.at(-1 - end) === other.at(-1 - end)) end++
  return (
    <code>
      {text.slice(0, start)}
      <mark>{text.slice(start, text.length - end) || '∅'}</mark>
      {text.slice(text.length - end)}
    </code>
  )
}
