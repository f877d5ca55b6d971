import type { Imported } from '../contract.ts'
import { plural } from '../words.ts'

/** What an import could not make out, with the place in the file; notes that are good to know come last. */
export function ImportFindings({ findings, isOpen }: { findings: Imported['findings']; isOpen: boolean }) {
  const problems = findings.filter(({ severity }) => severity !== 'note')
  const notes = findings.filter(({ severity }) => severity === 'note')
  if (findings.length === 0) return <p className="small text-good">Nothing in it needs a look.</p>
  const told = [
    ...(problems.length > 0 ? [plural(problems.length, 'thing to look at', 'things to look at')] : []),
    ...(notes.length > 0 ? [plural(notes.length, 'note')] : []),
  ]
  return (
    <details className="findings" open={isOpen}>
      <summary className={problems.length > 0 ? 'text-warn' : 'muted'}>{told.join(', ')}</summary>
      <ul>
        {[...problems, ...notes].map(({ severity, message, pointer, line }) => (
          <li key={`${message} ${pointer}`} className={severity === 'note' ? 'finding' : 'finding finding-problem'}>
            <span className="break">{message}</span>
            {pointer !== null && (
              <span className="muted small break">
                {line !== null && `line ${line} · `}
                <code>{pointer}</code>
              </span>
            )}
          </li>
        ))}
      </ul>
    </details>
  )
}
