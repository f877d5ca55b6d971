import { useState } from 'react'
import { Badge, Card, Empty, Loading, Trouble } from '../../parts/basics.tsx'
import { linkTo } from '../../router.ts'
import { useSay } from '../../state/toasts.tsx'
import { useData } from '../../state/use-data.ts'
import { useTick } from '../../state/use-tick.ts'
import { useTitle } from '../../state/use-title.ts'
import { ago } from '../../words.ts'
import type { Imported } from '../contract.ts'
import { Confirm } from '../parts/confirm.tsx'
import { ImportFindings } from '../parts/import-findings.tsx'
import { ImportForm } from '../parts/import-form.tsx'
import { PinnedTools } from '../parts/pinned-tools.tsx'
import { write } from '../requests.ts'
import { plural } from '../words.ts'

const refreshMs = 10_000

/** Services that the user made of API descriptions and of remote MCP servers. */
export function ImportsPage({ isAdmin }: { isAdmin: boolean }) {
  useTitle('Imports')
  const say = useSay()
  const now = useTick(refreshMs)
  const { data, error, reload } = useData<{ imports: readonly Imported[] }>('/imports')
  const [isOpen, setOpen] = useState(false)
  const [replacing, setReplacing] = useState<Imported | null>(null)
  const [latest, setLatest] = useState<string | null>(null)
  const imports = data?.imports
  const isAsking = isOpen || replacing !== null || imports?.length === 0
  const close = () => {
    setOpen(false)
    setReplacing(null)
  }
  const imported = (done: Imported) => {
    say(`${done.displayName} is served as ${done.serviceType}.`, 'good')
    setLatest(done.serviceType)
    close()
    reload()
  }
  return (
    <>
      <header className="page-head">
        <div>
          <h1>Imports</h1>
          <p className="muted">Your own APIs and remote MCP servers, used like any other service.</p>
        </div>
        {!isAsking && imports && (
          <button type="button" className="button button-primary" onClick={() => setOpen(true)}>
            Import a service
          </button>
        )}
      </header>
      {error !== null && <Trouble error={error} />}
      {!imports && error === null && <Loading what="imports" />}
      {imports && isAsking && (
        <Card title={replacing ? `Import ${replacing.displayName} again` : 'Import a service'}>
          <ImportForm
            key={replacing?.serviceType ?? ''}
            replacing={replacing}
            isAdmin={isAdmin}
            onDone={imported}
            {...(imports.length > 0 && { onCancel: close })}
          />
        </Card>
      )}
      {imports?.length === 0 && (
        <Empty title="Nothing is imported yet">
          <p>What you import is served at once, to you alone; each of its operations becomes a tool.</p>
        </Empty>
      )}
      {imports?.map((one) => (
        <OneImport
          key={one.serviceType}
          imported={one}
          isLatest={one.serviceType === latest}
          now={now}
          onReplace={() => {
            setReplacing(one)
            setOpen(false)
            scrollTo({ top: 0 })
          }}
          onChanged={reload}
        />
      ))}
    </>
  )
}

function OneImport({
  imported,
  isLatest,
  now,
  onReplace,
  onChanged,
}: {
  imported: Imported
  isLatest: boolean
  now: number
  onReplace: () => void
  onChanged: () => void
}) {
  const say = useSay()
  const [isRemoving, setRemoving] = useState(false)
  const { displayName, serviceType, kind, audience, findings, instanceId } = imported
  const isRemote = kind === 'remote-mcp'
  const isConnected = instanceId !== null
  return (
    <section
      className={isLatest ? 'card import import-latest' : 'card import'}
      aria-labelledby={`import-${serviceType}`}
    >
      <header className="import-head">
        <h2 id={`import-${serviceType}`}>{displayName}</h2>
        {isConnected && <Badge tone="good">connected</Badge>}
        {audience === 'everybody' && <Badge tone="accent">for everybody</Badge>}
        {imported.waitingTools > 0 && <Badge tone="warn">{plural(imported.waitingTools, 'tool')} to look at</Badge>}
        <span className="grow" />
        <a
          className={`button button-small button-link${isConnected ? '' : ' button-primary'}`}
          {...linkTo({ page: 'service', serviceType, tab: 'connection' })}
        >
          {isConnected ? 'Open' : 'Connect'}
          <span className="unseen"> {displayName}</span>
        </a>
        <button
          type="button"
          className="button button-small"
          aria-label={`Import ${displayName} again`}
          onClick={onReplace}
        >
          Import again
        </button>
        <button
          type="button"
          className="button button-small button-danger"
          aria-label={`Remove ${displayName}`}
          onClick={() => setRemoving(true)}
        >
          Remove
        </button>
      </header>
      <p className="service-facts muted small">
        <code>{serviceType}</code>
        <span>
          {isRemote
            ? 'remote MCP server'
            : `${plural(imported.operations, 'operation')}, ${plural(imported.listedTools, 'tool')} listed`}
        </span>
        <span className="break">{imported.fileName}</span>
        <span>imported {ago(imported.updatedAt, now)}</span>
      </p>
      <ImportFindings findings={findings} isOpen={isLatest} />
      {isRemote && <PinnedTools imported={imported} onChanged={onChanged} />}
      {isRemoving && (
        <Confirm
          title={`Remove ${displayName}?`}
          label="Remove"
          act={async () => {
            await write('DELETE', `/imports/${serviceType}`)
            say(`${displayName} is removed.`)
            onChanged()
          }}
          onClose={() => setRemoving(false)}
        >
          <p>
            It is no longer served.
            {isConnected && ' Your address, stored key and tokens of it are deleted, and clients are refused at once.'}
            {audience === 'everybody' && ' Everybody else who is connected to it is cut off as well.'} This can’t be
            undone; the file can be imported again.
          </p>
        </Confirm>
      )}
    </section>
  )
}
