import { useId, useLayoutEffect, useRef, useState } from 'react'
import { command } from '../api/client.ts'
import type { MigrationDetail, Stage } from '../api/contract.ts'
import { useSay } from '../state/toasts.tsx'
import { type Action, actionWords, destinations } from './action-words.ts'
import { Trouble } from './basics.tsx'

/** Says in words what would happen, and asks. What cannot be undone asks for the migration's name. */
export function Confirmation({
  migration,
  action,
  onClose,
}: {
  migration: MigrationDetail
  action: Action
  onClose: (done: boolean) => void
}) {
  const dialog = useRef<HTMLDialogElement>(null)
  const say = useSay()
  const title = useId()
  const [error, setError] = useState<unknown>(null)
  const [sending, setSending] = useState(false)
  const [typed, setTyped] = useState('')
  // Kept as it was when it was asked: the migration may move meanwhile.
  const [choices] = useState(() => destinations(migration, action))
  const [to, setTo] = useState<Stage | null>(choices[0] ?? null)
  const words = actionWords[action]
  const grave = action === 'abort' || to === 'complete'
  useLayoutEffect(() => {
    const element = dialog.current!
    element.showModal()
    // The answer is what comes next; what cannot be undone has its field first.
    element.querySelector<HTMLElement>('input, [type=submit]')?.focus()
    // Closed before it is taken away, so that the focus goes back to where it was.
    return () => element.close()
  }, [])
  const send = async () => {
    setSending(true)
    setError(null)
    try {
      await command(`/migrations/${migration.id}/${action === 'repair' ? 'verify' : action}`, bodyOf(action, to))
      say(words.asked(to))
      onClose(true)
    } catch (problem) {
      setError(problem)
      setSending(false)
    }
  }
  return (
    <dialog ref={dialog} className="dialog" onCancel={() => onClose(false)} aria-labelledby={title}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          void send()
        }}
      >
        <h2 id={title}>
          {words.label} {migration.name}?
        </h2>
        {choices.length > 1 && (
          <label className="field">
            Go to
            <select value={to ?? ''} onChange={(event) => setTo(event.target.value as Stage)}>
              {choices.map((stage, index) => (
                <option key={stage} value={stage}>
                  {stage}
                  {index === 0 ? ' (next)' : ''}
                </option>
              ))}
            </select>
          </label>
        )}
        <p>{words.meaning(migration, to)}</p>
        {grave && (
          <label className="field">
            <span>
              Type <b>{migration.name}</b> to go on
            </span>
            <input
              value={typed}
              onChange={(event) => setTyped(event.target.value)}
              autoComplete="off"
              spellCheck={false}
            />
          </label>
        )}
        {error !== null && <Trouble error={error} />}
        <div className="dialog-actions">
          <button type="button" className="button button-plain" onClick={() => onClose(false)}>
            Cancel
          </button>
          <button
            type="submit"
            className={`button button-${grave ? 'danger' : 'primary'}`}
            disabled={sending || (grave && typed !== migration.name)}
          >
            {sending ? 'Sending…' : words.label}
          </button>
        </div>
      </form>
    </dialog>
  )
}

function bodyOf(action: Action, to: Stage | null): object | undefined {
  switch (action) {
    case 'advance':
    case 'retreat':
      return to === null ? {} : { to }
    case 'verify':
      return {}
    case 'repair':
      return { repair: true }
    default:
      return undefined
  }
}
