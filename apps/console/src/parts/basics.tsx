import type { ReactNode } from 'react'
import { ApiError } from '../api/client.ts'
import type { Tone } from '../words.ts'

/** A short word with a tone. */
export function Badge({ tone, children, dot = true }: { tone: Tone; children: ReactNode; dot?: boolean }) {
  return (
    <span className={`badge tone-${tone}`}>
      {dot && <span className="dot" />}
      {children}
    </span>
  )
}

/** A part of a page, with a title and, beside it, one more thing to say. */
export function Card({
  title,
  aside,
  children,
  flush = false,
}: {
  title?: ReactNode
  aside?: ReactNode
  children: ReactNode
  flush?: boolean
}) {
  return (
    <section className={flush ? 'card flush' : 'card'}>
      {title !== undefined && (
        <header className="card-head">
          <h2>{title}</h2>
          {aside !== undefined && <div className="card-aside">{aside}</div>}
        </header>
      )}
      <div className="card-body">{children}</div>
    </section>
  )
}

/** A bar that fills from left to right. */
export function Meter({ share, tone = 'accent', label }: { share: number; tone?: Tone; label: string }) {
  const value = Math.max(0, Math.min(1, share))
  return (
    <div
      className={`meter tone-${tone}`}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(value * 100)}
    >
      <div style={{ width: `${value * 100}%` }} />
    </div>
  )
}

/** One figure with its label. */
export function Figure({
  label,
  value,
  hint,
  tone,
}: {
  label: string
  value: ReactNode
  hint?: ReactNode
  tone?: Tone
}) {
  return (
    <div className="figure">
      <div className="figure-label">{label}</div>
      <div className={tone ? `figure-value text-${tone}` : 'figure-value'}>{value}</div>
      {hint !== undefined && <div className="figure-hint">{hint}</div>}
    </div>
  )
}

/** What stands where there is nothing to show: why, and what comes. */
export function Empty({
  title,
  children,
  isPage = false,
}: {
  title: string
  children?: ReactNode
  /** The page has no other title. */
  isPage?: boolean
}) {
  const Heading = isPage ? 'h1' : 'h2'
  return (
    <div className="empty">
      <svg viewBox="0 0 64 32" width="96" height="48" aria-hidden="true">
        <path d="M2 24C24 24 40 8 62 8" />
        <path d="M2 8C24 8 40 24 62 24" className="second" />
      </svg>
      <Heading>{title}</Heading>
      {children !== undefined && <div className="empty-text">{children}</div>}
    </div>
  )
}

/** What went wrong, with its code and what to do. */
export function Trouble({ error }: { error: unknown }) {
  const problem =
    error instanceof ApiError ? error.problem : { code: 'CF9001', message: String(error), remedy: 'Reload the page.' }
  return (
    <div className="trouble" role="alert">
      <div className="trouble-head">
        <code>{problem.code}</code> {withCode(problem.message)}
      </div>
      <div className="trouble-remedy">→ {withCode(problem.remedy)}</div>
    </div>
  )
}

/** A sentence in which what stands between backticks is code. */
export function withCode(text: string): ReactNode {
  return text.split('`').map((piece, at, all) => {
    // The pieces at odd places stood between two backticks; the last one has none behind it.
    if (at % 2 === 0 || at === all.length - 1) return piece
    // biome-ignore lint/suspicious/noArrayIndexKey: the pieces of a sentence never change their order
    return <code key={at}>{piece}</code>
  })
}

/** A field that narrows a long table; a short one needs none. */
export function TableFilter({
  total,
  value,
  onChange,
}: {
  total: number
  value: string
  onChange: (value: string) => void
}) {
  if (total <= 12) return <>{total}</>
  return (
    <input
      type="search"
      className="filter"
      placeholder={`find in ${total}`}
      aria-label="Find a table"
      value={value}
      onChange={(event) => onChange(event.target.value)}
    />
  )
}

/** What stands until the first answer is there. */
export function Loading({ what }: { what: string }) {
  return (
    <div className="loading" role="status">
      <span className="spinner" /> Loading {what}…
    </div>
  )
}
