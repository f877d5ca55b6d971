/** Days as the field holds them, and how they read; no days: until it is revoked. */
export type Lives = readonly (readonly [days: string, label: string])[]

/** What a new token is called and how long it is valid: the head of every form that makes one. */
export function NameAndLife({
  name,
  onName,
  example,
  days,
  onDays,
  lives,
}: {
  name: string
  onName: (name: string) => void
  example: string
  days: string
  onDays: (days: string) => void
  lives: Lives
}) {
  return (
    <div className="pair">
      <label className="field">
        Name
        <input
          value={name}
          onChange={(event) => onName(event.target.value)}
          placeholder={example}
          maxLength={100}
          autoComplete="off"
          // biome-ignore lint/a11y/noAutofocus: the person has just asked for this form
          autoFocus
          required
        />
      </label>
      <label className="field">
        Valid
        <select value={days} onChange={(event) => onDays(event.target.value)}>
          {lives.map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      </label>
    </div>
  )
}
