import { useEffect, useState } from 'react'
import type { MigrationDetail } from '../api/contract.ts'
import { useSession } from '../state/session.tsx'
import { type Action, actionWords } from './action-words.ts'
import { Confirmation } from './confirmation.tsx'

/** What can be done now. Each asks once, in words, before it does anything. */
export function Actions({ migration, onDone }: { migration: MigrationDetail; onDone: () => void }) {
  const [asking, setAsking] = useState<Action | null>(null)
  const session = useSession()
  const shown = actionsOf(migration)
  const refusal = (action: Action): string | null => {
    const { role } = actionWords[action]
    if (session?.role === 'viewer' || (role === 'admin' && session?.role === 'operator'))
      return `it needs the role ${role}; you are ${session.role}`
    if (action === 'repair') return null
    if (action === 'verify') return migration.stage === 'off' ? 'there is nothing to compare at off' : null
    return migration.commands[action].reason
  }
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.metaKey || event.ctrlKey || event.altKey || asking !== null) return
      if ((event.target as HTMLElement).closest('input, textarea, select, dialog')) return
      const action = shown.find((one) => actionWords[one].key === event.key)
      if (action && refusal(action) === null) setAsking(action)
    }
    addEventListener('keydown', press)
    return () => removeEventListener('keydown', press)
  })
  return (
    <div className="actions">
      {shown.map((action) => {
        const { kind, label, key } = actionWords[action]
        const reason = refusal(action)
        return (
          <button
            key={action}
            type="button"
            className={`button button-${kind}`}
            disabled={reason !== null}
            title={reason ?? (key ? `Key: ${key}` : undefined)}
            aria-keyshortcuts={key || undefined}
            onClick={() => setAsking(action)}
          >
            {label}
            {(action === 'advance' || action === 'retreat') && migration.commands[action].to !== null && (
              <span className="button-to"> to {migration.commands[action].to}</span>
            )}
          </button>
        )
      })}
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

function actionsOf({ commands, status, openMismatches }: MigrationDetail): readonly Action[] {
  if (status === 'complete' || status === 'aborted') return []
  return [
    'advance',
    'retreat',
    commands.resume.allowed ? 'resume' : 'pause',
    'verify',
    ...(openMismatches > 0 ? (['repair'] as const) : []),
    ...(commands.abort.allowed ? (['abort'] as const) : []),
  ]
}
