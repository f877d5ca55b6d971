import { useEffect, useRef } from 'react'
import type { MintedToken } from '../contract.ts'
import { CopyButton } from './copy-button.tsx'
import { Snippets } from './snippets.tsx'

/** Address and token, the one time that the token is known. */
export function MintedPanel({ minted, title, onDone }: { minted: MintedToken; title: string; onDone: () => void }) {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => heading.current?.focus(), [])
  const isUrl = minted.token.kind === 'url'
  return (
    <section className="card minted" aria-label={title}>
      <header className="card-head">
        <h2 ref={heading} tabIndex={-1}>
          {title}
        </h2>
      </header>
      <div className="card-body form">
        <p className="notice tone-warn">
          {isUrl
            ? 'The secret is part of this address: whoever has it can use the service as you. It is shown this once.'
            : 'The token is shown this once. Copy it now; if it is lost, make a new one.'}
        </p>
        <CopyLine label={isUrl ? 'Address with its secret' : 'Address'} what="address" value={minted.url} />
        {!isUrl && <CopyLine label="Token" what="token" value={minted.secret} />}
        <Snippets snippets={minted.snippets} />
        <div className="actions">
          <button type="button" className="button" onClick={onDone}>
            I have it: hide {isUrl ? 'the address' : 'the token'}
          </button>
        </div>
      </div>
    </section>
  )
}

/** One value to copy, on a line of its own. */
export function CopyLine({ label, what, value }: { label: string; what: string; value: string }) {
  return (
    <div className="copy-line">
      <span className="copy-label">{label}</span>
      <code className="copy-value">{value}</code>
      <CopyButton text={() => value} what={what} />
    </div>
  )
}
