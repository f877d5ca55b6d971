import { type ReactNode, useId, useState } from 'react'

/** A field for something secret: hidden until one asks to see it, and kept by no browser unless `autoComplete` says so. */
export function SecretField({
  label,
  value,
  onChange,
  help,
  trouble,
  autoComplete = 'off',
  required = false,
  minLength,
}: {
  label: string
  value: string
  onChange: (value: string) => void
  help?: ReactNode
  /** What is wrong with it, said by the form. */
  trouble?: string | undefined
  autoComplete?: string
  required?: boolean
  minLength?: number
}) {
  const id = useId()
  const [isShown, setShown] = useState(false)
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <span className="secret">
        <input
          id={id}
          type={isShown ? 'text' : 'password'}
          value={value}
          onChange={(event) => onChange(event.target.value)}
          autoComplete={autoComplete}
          autoCapitalize="off"
          spellCheck={false}
          required={required}
          minLength={minLength}
          aria-invalid={trouble !== undefined}
          aria-describedby={`${id}-help`}
        />
        <button
          type="button"
          className="secret-show"
          aria-pressed={isShown}
          aria-label={`Show ${label}`}
          onClick={() => setShown(!isShown)}
        >
          {isShown ? 'hide' : 'show'}
        </button>
      </span>
      <span id={`${id}-help`} className="field-help">
        {trouble === undefined ? help : <span className="text-bad">{trouble}</span>}
      </span>
    </div>
  )
}
