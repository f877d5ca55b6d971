import { useId, useRef, useState } from 'react'
import { ApiError, call } from '../../api/client.ts'
import { Trouble } from '../../parts/basics.tsx'
import type { Authenticate, Authenticated, Field, ServiceDetail } from '../contract.ts'
import { write } from '../requests.ts'
import { SecretField } from './secret-field.tsx'

/** The upstream refuses the key. */
const wrongKey = 'CF12010'
/** The upstream could not be asked. */
const unasked = 'CF12011'

/** Asks for exactly what the service wants, checks it with the upstream and stores it; what is filled in is forgotten then. */
export function ConnectForm({
  service,
  isReplacing = false,
  known = {},
  onDone,
  onCancel,
}: {
  service: ServiceDetail
  isReplacing?: boolean
  /** Values of variables as they are. */
  known?: Readonly<Record<string, string>>
  onDone: (done: Authenticated) => void
  onCancel?: () => void
}) {
  const form = useRef<HTMLFormElement>(null)
  const [values, setValues] = useState<Readonly<Record<string, string>>>(() => beginning(service.fields, known))
  const [error, setError] = useState<unknown>(null)
  const [sending, setSending] = useState(false)
  const isRefused = error instanceof ApiError && error.problem.code === wrongKey
  const isUnasked = error instanceof ApiError && error.problem.code === unasked
  const credentials = service.fields.filter((field) => field.in !== 'variables')
  const isOAuth = service.oauth?.available === true
  const firstSecret = credentials.find((field) => field.secret)

  const send = async (force: boolean) => {
    setSending(true)
    setError(null)
    try {
      const body = { ...bodyOf(service.fields, values), ...(force && { force }) }
      const done = await write<Authenticated>('POST', `/services/${service.serviceType}/authenticate`, body)
      setValues({})
      onDone(done)
    } catch (trouble) {
      setError(trouble)
      setSending(false)
      form.current?.querySelector<HTMLInputElement>('[data-secret] input')?.focus()
    }
  }
  const authorize = async () => {
    setError(null)
    const variables = bodyOf(service.fields, values).variables ?? {}
    const query = new URLSearchParams({
      returnTo: `/services/${service.serviceType}`,
      ...(Object.keys(variables).length > 0 && { variables: JSON.stringify(variables) }),
    })
    try {
      const begun = await call<{ authorizationUrl: string }>(`/services/${service.serviceType}/oauth/start?${query}`, {
        headers: { accept: 'application/json' },
      })
      location.assign(begun.authorizationUrl)
    } catch (trouble) {
      setError(trouble)
    }
  }
  const variables = service.fields.filter((field) => field.in === 'variables')
  const field = (one: Field) => (
    <OneField
      key={keyOf(one)}
      field={one}
      value={values[keyOf(one)] ?? ''}
      onChange={(value) => setValues((before) => ({ ...before, [keyOf(one)]: value }))}
      trouble={isRefused && one === firstSecret ? `${service.displayName} refuses this.` : undefined}
    />
  )
  return (
    <form
      ref={form}
      className="form"
      autoComplete="off"
      onSubmit={(event) => {
        event.preventDefault()
        void send(false)
      }}
    >
      {variables.map(field)}
      {isOAuth && (
        <button type="button" className="button button-primary" onClick={() => void authorize()}>
          Connect with {service.displayName}
        </button>
      )}
      {isOAuth && credentials.length > 0 && <p className="or">or with a token of your own</p>}
      {service.oauth && !isOAuth && <NoClient service={service} canPaste={credentials.length > 0} />}
      {credentials.map(field)}
      {service.auth === 'none' && <p className="muted">This service asks for no key.</p>}
      {error !== null && <Trouble error={error} />}
      {isUnasked && (
        <button type="button" className="button" disabled={sending} onClick={() => void send(true)}>
          Store it unchecked
        </button>
      )}
      <div className="actions">
        {(credentials.length > 0 || service.auth === 'none') && (
          <button type="submit" className={`button${isOAuth ? '' : ' button-primary'}`} disabled={sending}>
            {sending ? `Asking ${service.displayName}…` : isReplacing ? 'Replace the key' : 'Connect'}
          </button>
        )}
        {onCancel && (
          <button type="button" className="button" onClick={onCancel}>
            Cancel
          </button>
        )}
      </div>
      {credentials.length > 0 && (
        <p className="muted small">
          {service.verifiable
            ? `It is checked with ${service.displayName} first, then stored encrypted for you alone. Nobody is shown it again.`
            : `It is stored encrypted for you alone and shown to nobody again. ${service.displayName} has nothing to check it with: try a tool to see whether it is right.`}
        </p>
      )}
    </form>
  )
}

function OneField({
  field,
  value,
  onChange,
  trouble,
}: {
  field: Field
  value: string
  onChange: (value: string) => void
  trouble: string | undefined
}) {
  const id = useId()
  const label = field.required ? field.label : `${field.label} (optional)`
  if (field.secret) {
    return (
      <div data-secret>
        <SecretField
          label={label}
          value={value}
          onChange={onChange}
          help={field.help}
          trouble={trouble}
          required={field.required}
        />
      </div>
    )
  }
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        value={value}
        onChange={(event) => onChange(event.target.value)}
        required={field.required}
        pattern={field.pattern ?? undefined}
        placeholder={field.default ?? undefined}
        autoComplete="off"
        autoCapitalize="off"
        spellCheck={false}
        aria-describedby={`${id}-help`}
      />
      <span id={`${id}-help`} className="field-help">
        {field.help}
      </span>
    </div>
  )
}

function NoClient({ service, canPaste }: { service: ServiceDetail; canPaste: boolean }) {
  return (
    <details className="notice tone-idle small">
      <summary>
        {canPaste
          ? `Signing in at ${service.displayName} is not set up here; a token of your own works.`
          : `Signing in at ${service.displayName} is not set up here yet.`}
      </summary>
      <p>
        The administrator registers a client at {service.displayName} with this redirect URI, and sets{' '}
        <code className="break">
          CROSSFADE_MCP_OAUTH_{service.serviceType.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}_CLIENT_ID
        </code>{' '}
        and <code>…_CLIENT_SECRET</code>:
      </p>
      <p>
        <code className="break">{service.oauth!.redirectUri}</code>
      </p>
    </details>
  )
}

function keyOf(field: Field): string {
  return `${field.in}.${field.name}`
}

function beginning(fields: readonly Field[], known: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    fields.filter((field) => field.in === 'variables').map((field) => [keyOf(field), known[field.name] ?? '']),
  )
}

/** Fields that were left empty are left out. */
function bodyOf(fields: readonly Field[], values: Readonly<Record<string, string>>): Authenticate {
  const body: Record<string, string | Record<string, string>> = {}
  for (const field of fields) {
    const value = values[keyOf(field)] ?? ''
    if (value === '') continue
    if (field.in === 'body') body[field.name] = value
    else body[field.in] = { ...(body[field.in] as Record<string, string> | undefined), [field.name]: value }
  }
  return body
}
