import { useState } from 'react'
import { call, storedToken, storeToken } from '../api/client.ts'
import { Trouble } from '../parts/basics.tsx'
import { goToPath } from '../router.ts'
import { useTitle } from '../state/use-title.ts'

/** Asks for the bearer token that an admin made, and leads back to where the person was going. */
export function SignInPage({
  from,
  expired,
  onSignedIn,
}: {
  from: string | null
  expired: boolean
  onSignedIn: (token: string) => void
}) {
  useTitle('Sign in')
  const [token, setToken] = useState('')
  const [error, setError] = useState<unknown>(null)
  const [checking, setChecking] = useState(false)
  const signIn = async () => {
    const before = storedToken()
    const presented = token.trim()
    setChecking(true)
    storeToken(presented)
    try {
      await call('/session')
      onSignedIn(presented)
      goToPath(from ?? '/')
    } catch (problem) {
      storeToken(before)
      setError(problem)
      setChecking(false)
    }
  }
  return (
    <form
      className="sign-in card"
      onSubmit={(event) => {
        event.preventDefault()
        void signIn()
      }}
    >
      <h1>Sign in</h1>
      {expired && error === null && (
        <div className="notice tone-warn">
          The server does not know your token any more. Ask an admin for a new one.
        </div>
      )}
      <p className="muted">
        This server asks for a token. It is kept in this tab and forgotten when the tab is closed. An admin makes one
        with <code>crossfade server token NAME ROLE</code>.
      </p>
      <label className="field">
        Token
        <input
          type="password"
          value={token}
          onChange={(event) => setToken(event.target.value)}
          autoComplete="current-password"
          required
          // biome-ignore lint/a11y/noAutofocus: the page is this one field
          autoFocus
        />
      </label>
      {error !== null && <Trouble error={error} />}
      <button type="submit" className="button button-primary" disabled={checking}>
        {checking ? 'Signing in…' : 'Sign in'}
      </button>
    </form>
  )
}
