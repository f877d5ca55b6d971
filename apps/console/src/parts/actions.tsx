import { useEffect, useRef, useState } from 'react'
import { command } from '../api/client.ts'
import type { Command, MigrationDetail } from '../api/contract.ts'
import { stageMeaning } from '../words.ts'
import { Trouble } from './basics.tsx'

type Action = Command | 'verify' | 'repair'

interface Wording {
  readonly label: string
  readonly key: string
  readonly kind: 'primary' | 'plain' | 'danger'
  /** What happens, for the confirmation. */
  readonly meaning: (migration: MigrationDetail) => string
}

const wording: Record<Action, Wording> = {
  advance: {
    label: 'Advance',
    key: 'a',
    kind: 'primary',
    meaning: ({ commands, stage }) =>
      commands.advance.to === 'live' && stage !== 'live'
        ? 'Cut over: writes are held for a moment, everything is proven, and the target answers from then on. The source is kept current, so you can go back.'
        : commands.advance.to === 'complete'
          ? 'Finish: streams and slots are removed and the source is archived. After this, going back is a new plan the other way.'
          : `Go up to ${commands.advance.to}: ${stageMeaning[commands.advance.to ?? stage].toLowerCase()}. Each gate must hold first.`,
  },
  retreat: {
    label: 'Retreat',
    key: 'r',
    kind: 'plain',
    meaning: ({ commands, stage }) =>
      stage === 'live' && commands.retreat.to === 'shadow'
        ? 'Go back: writes are held for a moment, and the source answers again with every write since the cutover in it.'
        : `Go down to ${commands.retreat.to}: ${stageMeaning[commands.retreat.to ?? stage].toLowerCase()}. Nothing is lost.`,
  },
  pause: {
    label: 'Pause',
    key: 'p',
    kind: 'plain',
    meaning: () => 'Copy, verification and moves stop; the streams go on, so that nothing piles up.',
  },
  resume: { label: 'Resume', key: 'p', kind: 'primary', meaning: () => 'Go on where it stopped.' },
  verify: {
    label: 'Verify',
    key: 'v',
    kind: 'plain',
    meaning: () => 'Compare every row of both sides now. The live system comes first: the throttle holds its budget.',
  },
  repair: {
    label: 'Repair',
    key: '',
    kind: 'plain',
    meaning: ({ openMismatches }) =>
      `Make ${openMismatches} row(s) on the side that does not answer equal to the other, then verify them again.`,
  },
  abort: {
    label: 'Abort',
    key: '',
    kind: 'danger',
    meaning: () =>
      'Take everything back: slots, publications, triggers, our schemas, and the tables we made on the target are removed. The source is left as it was.',
  },
}

/** What can be done now. Each asks once, in words, before it does anything. */
export function Actions({ migration, onDone }: { migration: MigrationDetail; onDone: () => void }) {
  const [asking, setAsking] = useState<Action | null>(null)
  const { commands, status, openMismatches } = migration
  const over = status === 'complete' || status === 'aborted'
  const shown: Action[] = over
    ? []
    : [
        'advance',
        'retreat',
        commands.resume.allowed ? 'resume' : 'pause',
        'verify',
        ...(openMismatches > 0 ? (['repair'] as const) : []),
        ...(commands.abort.allowed ? (['abort'] as const) : []),
      ]
  const state = (action: Action) =>
    action === 'verify' || action === 'repair' ? { allowed: true, reason: null } : commands[action]
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (
        event.metaKey ||
        event.ctrlKey ||
        event.altKey ||
        asking !== null ||
        (event.target as HTMLElement).closest('input, textarea, dialog')
      )
        return
      const action = shown.find((one) => wording[one].key === event.key)
      if (action && state(action).allowed) setAsking(action)
    }
    addEventListener('keydown', press)
    return () => removeEventListener('keydown', press)
  })
  return (
    <div className="actions">
      {shown.map((action) => (
        <button
          key={action}
          type="button"
          className={`button button-${wording[action].kind}`}
          disabled={!state(action).allowed}
          title={state(action).reason ?? (wording[action].key ? `Key: ${wording[action].key}` : undefined)}
          onClick={() => setAsking(action)}
        >
          {wording[action].label}
          {(action === 'advance' || action === 'retreat') && commands[action].to !== null && (
            <span className="button-to"> to {commands[action].to}</span>
          )}
        </button>
      ))}
      {asking !== null && (
        <Confirmation
          migration={migration}
          action={asking}
          onClose={(done) => {
            setAsking(null)
            if (done) onDone()
          }}
        />
      )}
    </div>
  )
}

function Confirmation({
  migration,
  action,
  onClose,
}: {
  migration: MigrationDetail
  action: Action
  onClose: (done: boolean) => void
}) {
  const dialog = useRef<HTMLDialogElement>(null)
  const [error, setError] = useState<unknown>(null)
  const [sending, setSending] = useState(false)
  const [typed, setTyped] = useState('')
  const grave = action === 'abort' || (action === 'advance' && migration.commands.advance.to === 'complete')
  useEffect(() => dialog.current!.showModal(), [])
  const send = async () => {
    setSending(true)
    setError(null)
    try {
      const path = `/migrations/${migration.id}/${action === 'repair' ? 'verify' : action}`
      await command(
        path,
        action === 'repair'
          ? { repair: true }
          : action === 'verify' || action === 'advance' || action === 'retreat'
            ? {}
            : undefined,
      )
      onClose(true)
    } catch (problem) {
      setError(problem)
      setSending(false)
    }
  }
  return (
    <dialog ref={dialog} className="dialog" onCancel={() => onClose(false)} aria-labelledby="confirmation-title">
      <form
        method="dialog"
        onSubmit={(event) => {
          event.preventDefault()
          void send()
        }}
      >
        <h2 id="confirmation-title">
          {wording[action].label} {migration.name}?
        </h2>
        <p>{wording[action].meaning(migration)}</p>
        {grave && (
          <label className="field">
            Type <b>{migration.name}</b> to go on
            <input value={typed} onChange={(event) => setTyped(event.target.value)} autoComplete="off" />
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
            {sending ? 'Sending…' : wording[action].label}
          </button>
        </div>
      </form>
    </dialog>
  )
}
