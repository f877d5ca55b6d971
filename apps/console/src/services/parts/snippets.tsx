import { type KeyboardEvent, useId, useState } from 'react'
import { withCode } from '../../parts/basics.tsx'
import type { Snippet } from '../contract.ts'
import { CopyButton } from './copy-button.tsx'

/** What to paste into which client; one tab for each. */
export function Snippets({ snippets }: { snippets: readonly Snippet[] }) {
  const id = useId()
  const [chosen, setChosen] = useState(snippets[0]?.client)
  const snippet = snippets.find(({ client }) => client === chosen) ?? snippets[0]
  if (!snippet) return null
  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0
    if (step === 0) return
    const next = snippets[(snippets.indexOf(snippet) + step + snippets.length) % snippets.length]!
    setChosen(next.client)
    document.getElementById(`${id}-${next.client}`)?.focus()
  }
  return (
    <div className="snippets">
      <div className="pills" role="tablist" aria-label="Client" onKeyDown={onKeyDown}>
        {snippets.map(({ client, label }) => (
          <button
            key={client}
            id={`${id}-${client}`}
            type="button"
            role="tab"
            className="pill"
            aria-selected={client === snippet.client}
            aria-controls={`${id}-panel`}
            tabIndex={client === snippet.client ? 0 : -1}
            onClick={() => setChosen(client)}
          >
            {label}
          </button>
        ))}
      </div>
      <div id={`${id}-panel`} role="tabpanel" aria-labelledby={`${id}-${snippet.client}`}>
        <div className="snippet-head">
          <span className="muted small">{snippet.file ? <code>{snippet.file}</code> : 'In a terminal'}</span>
          <CopyButton text={() => snippet.text} what={`snippet for ${snippet.label}`} />
        </div>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so keys must reach it */}
        <pre tabIndex={0}>{snippet.text}</pre>
        {snippet.note && <p className="muted small">{withCode(snippet.note)}</p>}
      </div>
    </div>
  )
}
