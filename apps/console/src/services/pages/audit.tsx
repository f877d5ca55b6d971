import { useCallback, useEffect, useState } from 'react'
import { call } from '../../api/client.ts'
import { Badge, Card, Empty, Loading, Trouble } from '../../parts/basics.tsx'
import { useTitle } from '../../state/use-title.ts'
import { moment } from '../../words.ts'
import type { Audit } from '../contract.ts'
import { actorWord, deedWord, subjectWord } from '../words.ts'

const pageEntries = 50

/** What was done with the user's keys and tokens, the newest first. */
export function AuditPage() {
  useTitle('Audit')
  const [entries, setEntries] = useState<Audit['entries'] | null>(null)
  const [next, setNext] = useState<string | null>(null)
  const [error, setError] = useState<unknown>(null)
  const [reading, setReading] = useState(false)
  const read = useCallback(async (before: string | null) => {
    setReading(true)
    setError(null)
    try {
      const query = new URLSearchParams({ limit: String(pageEntries), ...(before && { before }) })
      const page = await call<Audit>(`/user/audit?${query}`)
      setEntries((known) => (before === null ? page.entries : [...(known ?? []), ...page.entries]))
      setNext(page.next)
    } catch (trouble) {
      setError(trouble)
    }
    setReading(false)
  }, [])
  useEffect(() => void read(null), [read])
  return (
    <>
      <header className="page-head">
        <div>
          <h1>Audit</h1>
          <p className="muted">What was done with your keys and tokens, and from where. Nobody can change it.</p>
        </div>
        <button type="button" className="button" disabled={reading} onClick={() => void read(null)}>
          Refresh
        </button>
      </header>
      {error !== null && <Trouble error={error} />}
      {entries === null && error === null && <Loading what="the audit log" />}
      {entries?.length === 0 && (
        <Empty title="Nothing has been done yet">
          <p>Connecting a service, making a token, replacing a key: each leaves an entry here.</p>
        </Empty>
      )}
      {entries && entries.length > 0 && (
        <Card flush>
          <table className="list stacked">
            <thead>
              <tr>
                <th>when</th>
                <th>what</th>
                <th>about</th>
                <th>outcome</th>
                <th>by</th>
                <th>from</th>
              </tr>
            </thead>
            <tbody>
              {entries.map((entry) => (
                <Entry key={entry.id} entry={entry} />
              ))}
            </tbody>
          </table>
        </Card>
      )}
      {next !== null && (
        <div className="actions more">
          <button type="button" className="button" disabled={reading} onClick={() => void read(next)}>
            {reading ? 'Reading…' : 'Older entries'}
          </button>
        </div>
      )}
    </>
  )
}

function Entry({ entry }: { entry: Audit['entries'][number] }) {
  const details = { id: entry.subject, ...entry.details }
  return (
    <tr>
      <td data-label="when">
        <time dateTime={entry.at}>{moment(entry.at)}</time>
      </td>
      <td data-label="what">
        <strong title={entry.action}>{deedWord(entry.action)}</strong>
      </td>
      <td className="name" data-label="about">
        <span className="audit-subject">
          {entry.subjectName === null ? (
            (subjectWord(entry.action) ?? <code className="break">{entry.subject}</code>)
          ) : (
            <span className="break">{entry.subjectName}</span>
          )}
          <details className="small">
            <summary>details</summary>
            <pre>{JSON.stringify(details, null, 2)}</pre>
          </details>
        </span>
      </td>
      <td data-label="outcome">
        <Badge tone={entry.outcome === 'done' ? 'good' : 'bad'}>{entry.outcome}</Badge>
      </td>
      <td className="name" data-label="by">
        {actorWord(entry.actor)}
      </td>
      <td className={entry.sourceIp === null ? 'blank' : ''} data-label="from">
        {entry.sourceIp ? <code>{entry.sourceIp}</code> : <span className="muted">–</span>}
      </td>
    </tr>
  )
}
