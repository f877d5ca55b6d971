import { useState } from 'react'
import { Badge, Loading, Trouble } from '../../parts/basics.tsx'
import { useSay } from '../../state/toasts.tsx'
import { useData } from '../../state/use-data.ts'
import { moment } from '../../words.ts'
import type { Imported, PinnedTool } from '../contract.ts'
import { lineChanges } from '../line-changes.ts'
import { write } from '../requests.ts'

type Definition = NonNullable<PinnedTool['approved']>['definition']
type Decision = 'approve' | 'quarantine'

/** What a remote server's tools were when they were first seen or approved, and what of them waits for a decision. */
export function PinnedTools({ imported, onChanged }: { imported: Imported; onChanged: () => void }) {
  const { serviceType, displayName } = imported
  const path = `/imports/${serviceType}/tools`
  const say = useSay()
  const { data, error, reload } = useData<{ tools: readonly PinnedTool[] }>(path, imported.updatedAt)
  const [trouble, setTrouble] = useState<unknown>(null)
  const [isBusy, setBusy] = useState(false)
  const act = async (work: () => Promise<string>) => {
    setBusy(true)
    setTrouble(null)
    try {
      say(await work())
    } catch (failure) {
      setTrouble(failure)
    }
    setBusy(false)
    reload()
    onChanged()
  }
  const ask = () =>
    act(async () => {
      const { tools } = await write<{ tools: readonly PinnedTool[] }>('POST', path)
      const waiting = tools.filter((tool) => tool.waiting !== null).length
      return waiting === 0 ? 'Nothing has changed that waits for you.' : 'Something waits for your decision.'
    })
  const decide = (tool: PinnedTool, digest: string, decision: Decision) =>
    act(async () => {
      await write('POST', `${path}/${encodeURIComponent(tool.name)}/decision`, { digest, decision })
      return decision === 'approve' ? `${tool.name} is served as you saw it.` : `${tool.name} is not served any more.`
    })
  const tools = data?.tools
  return (
    <section className="pinned" aria-label={`Tools of ${displayName}`}>
      <header className="pinned-head">
        <h3>Its tools</h3>
        {imported.instanceId !== null && (
          <button type="button" className="button button-small" disabled={isBusy} onClick={() => void ask()}>
            {isBusy ? 'One moment…' : `Ask ${displayName} now`}
          </button>
        )}
      </header>
      <p className="muted small">
        Descriptions steer models, so they are kept as they were first seen. What the server changes or adds later is
        not served until you approve it.
      </p>
      {error !== null && <Trouble error={error} />}
      {trouble !== null && <Trouble error={trouble} />}
      {!tools && error === null && <Loading what="its tools" />}
      {tools?.length === 0 && (
        <p className="muted">
          {imported.instanceId === null
            ? `Connect ${displayName} first: then it can be asked for its tools.`
            : 'It was not asked for its tools yet.'}
        </p>
      )}
      <ul>
        {tools?.map((tool) => (
          <OneTool key={tool.name} tool={tool} isBusy={isBusy} onDecide={(...given) => void decide(tool, ...given)} />
        ))}
      </ul>
    </section>
  )
}

function OneTool({
  tool,
  isBusy,
  onDecide,
}: {
  tool: PinnedTool
  isBusy: boolean
  onDecide: (digest: string, decision: Decision) => void
}) {
  const { name, approved, waiting } = tool
  const shown = (approved ?? waiting)!.definition
  return (
    <li className="pinned-tool">
      <div className="pinned-tool-head">
        <code className="break">{name}</code>
        {waiting === null ? (
          <Badge tone="good">served</Badge>
        ) : (
          <Badge tone="warn">{approved ? 'has changed' : 'held back'}</Badge>
        )}
        <span className="grow" />
        {waiting === null && approved && (
          <button
            type="button"
            className="button button-small"
            disabled={isBusy}
            aria-label={`Hold ${name} back`}
            onClick={() => onDecide(approved.digest, 'quarantine')}
          >
            Hold back
          </button>
        )}
      </div>
      {waiting === null ? (
        <p className="muted small clamp">{String(shown['description'] ?? '')}</p>
      ) : (
        <>
          <p className="small">
            {approved
              ? `The server tells it differently since ${moment(waiting.since)}. Calls to it are refused meanwhile.`
              : `Seen ${moment(waiting.since)}. It is not served.`}
          </p>
          <Changes before={approved?.definition ?? null} now={waiting.definition} />
          <div className="actions">
            <button
              type="button"
              className="button button-small button-primary"
              disabled={isBusy}
              aria-label={`Approve ${name}`}
              onClick={() => onDecide(waiting.digest, 'approve')}
            >
              {approved ? 'Approve the change' : 'Approve'}
            </button>
          </div>
        </>
      )}
    </li>
  )
}

const members = [
  ['title', 'Title'],
  ['description', 'Description'],
  ['inputSchema', 'Arguments'],
  ['annotations', 'Annotations'],
] as const

/** Member by member what changed; all of a definition that there was none before. */
function Changes({ before, now }: { before: Definition | null; now: Definition }) {
  return (
    <dl className="changes">
      {members.map(([member, label]) => {
        const old = before === null ? '' : textOf(before[member])
        const own = textOf(now[member])
        if (old === own) return null
        return (
          <div key={member}>
            <dt>{label}</dt>
            <dd>
              <pre className="change" tabIndex={-1}>
                {(old === ''
                  ? own.split('\n').map((text) => ({ kind: 'new' as const, text }))
                  : lineChanges(old, own)
                ).map(({ kind, text }, at) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: lines never change their order
                  <Line key={at} kind={kind} text={text} />
                ))}
              </pre>
            </dd>
          </div>
        )
      })}
    </dl>
  )
}

const marks = { same: ' ', gone: '−', new: '+' } as const

function Line({ kind, text }: { kind: keyof typeof marks; text: string }) {
  const content = `${marks[kind]} ${text}`
  if (kind === 'gone') return <del>{content}</del>
  if (kind === 'new') return <ins>{content}</ins>
  return <span>{content}</span>
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return ''
  if (typeof value === 'string') return value
  const text = JSON.stringify(value, null, 2)
  return text === '{}' ? '' : text
}
