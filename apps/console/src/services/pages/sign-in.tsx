import { useEffect, useRef, useState } from 'react'
import { ApiError } from '../../api/client.ts'
import { Trouble } from '../../parts/basics.tsx'
import { goToPath } from '../../router.ts'
import type { ServerState } from '../../state/server.tsx'
import { useTitle } from '../../state/use-title.ts'
import { SecretField } from '../parts/secret-field.tsx'
import { account } from '../requests.ts'
import { isServersPath, safeReturn } from '../return-path.ts'

const passwordCharactersMin = 10

/** Sign-in and sign-up; both lead back to where the person was going. */
export function EntrancePage({ kind, server }: { kind: 'sign-in' | 'sign-up'; server: ServerState }) {
  const isNew = kind === 'sign-up'
  useTitle(isNew ? 'Make an account' : 'Sign in')
  const [name, setName] = useState('')
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const [error, setError] = useState<unknown>(null)
  const [sending, setSending] = useState(false)
  const first = useRef<HTMLInputElement>(null)
  const { user, signUp: mayBeNew } = server.services!
  const asked = new URLSearchParams(location.search).get('return')
  useEffect(() => first.current?.focus(), [])
  useEffect(() => {
    if (user === null) return
    const path = safeReturn(asked, location.origin)
    if (isServersPath(path)) location.replace(path)
    else goToPath(path, 'replace')
  }, [user, asked])

  const enter = async () => {
    setSending(true)
    setError(null)
    try {
      if (isNew) await account('/sign-up/email', { name: name.trim(), email, password })
      await account('/sign-in/email', { email, password })
      setPassword('')
      await server.reload()
    } catch (trouble) {
      setError(isNew ? ofSignUp(trouble) : trouble)
      setSending(false)
      first.current?.focus()
    }
  }
  const other = `${isNew ? '/sign-in' : '/sign-up'}${asked === null ? '' : `?return=${encodeURIComponent(asked)}`}`
  const isOAuth = asked !== null && isServersPath(asked)
  return (
    <form
      className="sign-in card"
      onSubmit={(event) => {
        event.preventDefault()
        void enter()
      }}
    >
      <h1>{isNew ? 'Make an account' : 'Sign in'}</h1>
      <p className="muted">
        {isOAuth
          ? 'An application wants to connect to one of your services. You are asked for consent next.'
          : isNew
            ? 'Store a key once and use its service from every MCP client.'
            : 'Your services, their addresses and their keys.'}
      </p>
      {isNew && (
        <label className="field">
          Name
          <input
            ref={first}
            value={name}
            onChange={(event) => setName(event.target.value)}
            autoComplete="name"
            maxLength={100}
            required
          />
        </label>
      )}
      <label className="field">
        E-mail address
        <input
          ref={isNew ? undefined : first}
          type="email"
          value={email}
          onChange={(event) => setEmail(event.target.value)}
          autoComplete="username"
          required
        />
      </label>
      <SecretField
        label="Password"
        value={password}
        onChange={setPassword}
        autoComplete={isNew ? 'new-password' : 'current-password'}
        required
        {...(isNew && { minLength: passwordCharactersMin, help: `At least ${passwordCharactersMin} characters.` })}
      />
      {error !== null && <Trouble error={error} />}
      <button type="submit" className="button button-primary" disabled={sending}>
        {sending ? 'One moment…' : isNew ? 'Make the account' : 'Sign in'}
      </button>
      {(isNew || mayBeNew) && (
        <p className="muted">
          {isNew ? 'You have one? ' : 'New here? '}
          <a
            href={other}
            onClick={(event) => {
              event.preventDefault()
              goToPath(other)
            }}
          >
            {isNew ? 'Sign in' : 'Make an account'}
          </a>
        </p>
      )}
    </form>
  )
}

/** Sign-up tells nobody whether an address is known; only signing in afterwards shows that it was. */
function ofSignUp(trouble: unknown): unknown {
  if (!(trouble instanceof ApiError) || trouble.problem.code !== 'INVALID_EMAIL_OR_PASSWORD') return trouble
  return new ApiError(409, {
    code: 'ACCOUNT',
    message: 'The account could not be opened with this password.',
    remedy: 'If you have an account with this address already, sign in with its password.',
    retry: false,
  })
}
