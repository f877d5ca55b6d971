import { useState } from 'react'
import { Trouble } from '../../parts/basics.tsx'
import { useSay } from '../../state/toasts.tsx'
import { account } from '../requests.ts'
import { SecretField } from './secret-field.tsx'

const passwordCharactersMin = 10

/** Asks for the password of now and the new one. */
export function ChangePassword({ email, onChanged }: { email: string; onChanged: () => void }) {
  const say = useSay()
  const [current, setCurrent] = useState('')
  const [next, setNext] = useState('')
  const [error, setError] = useState<unknown>(null)
  const [sending, setSending] = useState(false)
  const change = async () => {
    setSending(true)
    setError(null)
    try {
      await account('/change-password', { currentPassword: current, newPassword: next, revokeOtherSessions: true })
      setCurrent('')
      setNext('')
      say('The password is changed; every other session is over.', 'good')
      onChanged()
    } catch (trouble) {
      setError(trouble)
    }
    setSending(false)
  }
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault()
        void change()
      }}
    >
      {/* For password managers, which keep it by the address. */}
      <input className="unseen" type="email" autoComplete="username" value={email} readOnly tabIndex={-1} aria-hidden />
      <SecretField
        label="Current password"
        value={current}
        onChange={setCurrent}
        autoComplete="current-password"
        required
      />
      <SecretField
        label="New password"
        value={next}
        onChange={setNext}
        autoComplete="new-password"
        minLength={passwordCharactersMin}
        help={`At least ${passwordCharactersMin} characters. Every other session ends.`}
        required
      />
      {error !== null && <Trouble error={error} />}
      <div className="actions">
        <button type="submit" className="button" disabled={sending}>
          Change the password
        </button>
      </div>
    </form>
  )
}
