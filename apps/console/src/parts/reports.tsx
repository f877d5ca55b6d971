import { useState } from 'react'
import { send } from '../api/client.ts'
import type { MigrationDetail, VerificationReport } from '../api/contract.ts'
import { useSay } from '../state/toasts.tsx'
import { useData } from '../state/use-data.ts'
import { bytes, duration, exact, milliseconds, moment } from '../words.ts'
import { Badge, Card, Trouble } from './basics.tsx'

/** Every verification: what it looked at and what it found, table by table; each can be kept as a file. */
export function Reports({ migration }: { migration: MigrationDetail }) {
  const { data, error } = useData<readonly VerificationReport[]>(
    `/migrations/${migration.id}/reports`,
    `${migration.verification.last?.id} ${migration.verification.running?.id}`,
  )
  const [open, setOpen] = useState<string | null>(null)
  const say = useSay()
  if (!data) return error === null ? null : <Trouble error={error} />
  if (data.length === 0) return null
  const keep = (report: string) =>
    download(migration.id, report).catch(() => say('The report could not be read; the server does not answer', 'bad'))
  return (
    <Card title="Reports" aside={`${data.length}`} flush>
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
              <th>
                <span className="unseen">file</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {data.map((report) => (
              <ReportRows
                key={report.id}
                report={report}
                open={open === report.id}
                onToggle={() => setOpen(open === report.id ? null : report.id)}
                onKeep={() => void keep(report.id)}
              />
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  )
}

function ReportRows({
  report,
  open,
  onToggle,
  onKeep,
}: {
  report: VerificationReport
  open: boolean
  onToggle: () => void
  onKeep: () => void
}) {
  const { startedAt, finishedAt } = report
  return (
    <>
      <tr>
        <td>
          {finishedAt === null ? (
            <Badge tone="accent">running</Badge>
          ) : (
            <button type="button" className="link" aria-expanded={open} onClick={onToggle}>
              {moment(finishedAt)}
            </button>
          )}
        </td>
        <td>{report.scope}</td>
        <td className="number">{report.tables.length}</td>
        <td className="number">{exact(report.rows)}</td>
        <td className={report.mismatches > 0 ? 'number text-bad' : 'number'}>{exact(report.mismatches)}</td>
        <td className="number">{exact(report.repaired)}</td>
        <td className="number">
          {finishedAt === null ? '–' : duration((Date.parse(finishedAt) - Date.parse(startedAt)) / 1000)}
        </td>
        <td className="number">
          <button type="button" className="link" onClick={onKeep}>
            download
          </button>
        </td>
      </tr>
      {open &&
        report.tables.map((table) => (
          <tr key={`${table.table.schema}.${table.table.name}`} className="list-detail">
            <td className="name" colSpan={3}>
              {table.table.schema}.{table.table.name}{' '}
              <span className="muted">
                {bytes(table.bytes)}, {table.chunks} ranges{table.rechecks > 0 && `, ${table.rechecks} looked at again`}
              </span>
            </td>
            <td className="number">{exact(table.rows)}</td>
            <td className={table.mismatchCount > 0 ? 'number text-bad' : 'number'}>{exact(table.mismatchCount)}</td>
            <td />
            <td className="number">{milliseconds(table.milliseconds)}</td>
            <td />
          </tr>
        ))}
    </>
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
