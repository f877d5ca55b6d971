import { useState } from 'react'
import { call, storedToken, storeToken } from '../api/client.ts'
import { Trouble } from '../parts/basics.tsx'
import { goTo } from '../router.ts'

/** Asks for the bearer token that an admin made. */
export function SignInPage() {
  const [token, setToken] = useState('')
  const [error, setError] = useState<unknown>(null)
  const signIn = async () => {
    const before = storedToken()
    storeToken(token.trim())
    try {
      await call('/migrations')
      goTo({ page: 'migrations' })
    } catch (problem) {
      storeToken(before)
      setError(problem)
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
      <p className="muted">
        This server asks for a token. It is kept in this tab and forgotten when the tab is closed.
      </p>
      <label className="field">
        Token
        <input
          type="password"
          value={token}
          onChange={(event) => setToken(event.target.value)}
          autoComplete="off"
          required
          minLength={16}
        />
      </label>
      {error !== null && <Trouble error={error} />}
      <button type="submit" className="button button-primary">
        Sign in
      </button>
    </form>
  )
}
