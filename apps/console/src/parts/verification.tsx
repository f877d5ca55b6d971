import { useState } from 'react'
import { send } from '../api/client.ts'
import type { MigrationDetail, Mismatch, VerificationReport } from '../api/contract.ts'
import { useData } from '../state/use-data.ts'
import { count, duration, exact, moment } from '../words.ts'
import { Badge, Card, Empty, Figure, Loading, Meter, Trouble } from './basics.tsx'

/** What is proven, what is being looked at, what differs, and every report. */
export function VerificationPanel({ migration }: { migration: MigrationDetail }) {
  const { running, last, openMismatches, touched } = migration.verification
  return (
    <>
      <div className="figures">
        <Figure
          label="open mismatches"
          value={count(openMismatches)}
          tone={openMismatches > 0 ? 'bad' : 'good'}
          hint={openMismatches > 0 ? 'see below, by key and column' : 'both sides are equal'}
        />
        <Figure label="keys not yet proven again" value={count(touched)} hint="touched by the latest changes" />
        <Figure
          label="rows in the last report"
          value={last ? count(last.rows) : '–'}
          hint={last ? moment(last.finishedAt) : 'none yet'}
        />
      </div>
      {running && (
        <Card
          title={running.scope === 'repair' ? 'Repairing and verifying' : 'Verifying'}
          aside={`${count(running.rowsDone)} rows`}
        >
          <Meter share={running.rangesTotal ? running.rangesDone / running.rangesTotal : 0} label="ranges verified" />
          <p className="muted">
            {running.rangesDone} of {running.rangesTotal} ranges
          </p>
        </Card>
      )}
      <MismatchExplorer migration={migration} />
      <Reports migration={migration} />
    </>
  )
}

function MismatchExplorer({ migration }: { migration: MigrationDetail }) {
  const { data, error } = useData<readonly Mismatch[]>(
    `/migrations/${migration.id}/mismatches?limit=500`,
    `${migration.openMismatches} ${migration.verification.last?.id}`,
  )
  const [table, setTable] = useState<string | null>(null)
  const [open, setOpen] = useState<number | null>(null)
  if (error) return <Trouble error={error} />
  if (!data) return <Loading what="mismatches" />
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
  const nameOf = (mismatch: Mismatch) => `${mismatch.table.schema}.${mismatch.table.name}`
  const tables = [...new Set(data.map(nameOf))].sort()
  const shown = table === null ? data : data.filter((mismatch) => nameOf(mismatch) === table)
  return (
    <Card title="Mismatches" aside={`${exact(data.length)} open`} flush>
      <div className="filters" role="toolbar" aria-label="Tables">
        <button type="button" className={table === null ? 'chip chip-on' : 'chip'} onClick={() => setTable(null)}>
          all tables
        </button>
        {tables.map((name) => (
          <button
            key={name}
            type="button"
            className={table === name ? 'chip chip-on' : 'chip'}
            onClick={() => setTable(name)}
          >
            {name} <b>{data.filter((mismatch) => nameOf(mismatch) === name).length}</b>
          </button>
        ))}
      </div>
      <ul className="mismatches">
        {shown.map((mismatch, index) => (
          <li key={`${nameOf(mismatch)} ${JSON.stringify(mismatch.key)}`}>
            <button
              type="button"
              className="mismatch-row"
              aria-expanded={open === index}
              onClick={() => setOpen(open === index ? null : index)}
            >
              <Badge tone={mismatch.kind === 'different' ? 'warn' : 'bad'}>{mismatch.kind}</Badge>
              <code className="mismatch-key">
                {nameOf(mismatch)}{' '}
                {Object.entries(mismatch.key)
                  .map(([name, value]) => `${name}=${value ?? 'NULL'}`)
                  .join(', ')}
              </code>
              <span className="muted">
                {mismatch.columns.map((column) => column.column).join(', ') || (mismatch.target ?? mismatch.source)}
              </span>
            </button>
            {open === index && <Difference mismatch={mismatch} />}
          </li>
        ))}
      </ul>
    </Card>
  )
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

function Reports({ migration }: { migration: MigrationDetail }) {
  const { data, error } = useData<readonly VerificationReport[]>(
    `/migrations/${migration.id}/reports`,
    `${migration.verification.last?.id} ${migration.verification.running?.id}`,
  )
  if (error) return <Trouble error={error} />
  if (!data || data.length === 0) return null
  return (
    <Card title="Reports" flush>
      <div className="scroll-x">
        <table className="list">
          <thead>
            <tr>
              <th>finished</th>
              <th>scope</th>
              <th className="number">tables</th>
              <th className="number">rows</th>
              <th className="number">mismatches</th>
              <th className="number">repaired</th>
              <th className="number">took</th>
              <th />
            </tr>
          </thead>
          <tbody>
            {data.map((report) => (
              <tr key={report.id}>
                <td>{report.finishedAt === null ? <Badge tone="accent">running</Badge> : moment(report.finishedAt)}</td>
                <td>{report.scope}</td>
                <td className="number">{report.tables.length}</td>
                <td className="number">{exact(report.rows)}</td>
                <td className={report.mismatches > 0 ? 'number text-bad' : 'number'}>{exact(report.mismatches)}</td>
                <td className="number">{exact(report.repaired)}</td>
                <td className="number">
                  {report.finishedAt === null
                    ? '–'
                    : duration((Date.parse(report.finishedAt) - Date.parse(report.startedAt)) / 1000)}
                </td>
                <td className="number">
                  <button type="button" className="link" onClick={() => void download(migration.id, report.id)}>
                    download
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  )
}

async function download(migration: string, report: string): Promise<void> {
  const response = await send(`/migrations/${migration}/reports/${encodeURIComponent(report)}`)
  const link = document.createElement('a')
  link.href = URL.createObjectURL(await response.blob())
  link.download = `crossfade-${migration}-${report}.json`
  link.click()
  URL.revokeObjectURL(link.href)
}
