import { useState } from 'react'
import { Card } from '../../parts/basics.tsx'
import { goTo } from '../../router.ts'
import type { ServerState } from '../../state/server.tsx'
import { useSay } from '../../state/toasts.tsx'
import { useTitle } from '../../state/use-title.ts'
import { ApiTokens } from '../parts/api-tokens.tsx'
import { Applications } from '../parts/applications.tsx'
import { ChangePassword } from '../parts/change-password.tsx'
import { Sessions } from '../parts/sessions.tsx'
import { account } from '../requests.ts'

/** Who the user is to this server, and what opens the account. */
export function AccountPage({ server }: { server: ServerState }) {
  useTitle('Account')
  const say = useSay()
  const { user, version } = server.services!
  // A new password ends the other sessions; the list is read again then.
  const [round, setRound] = useState(0)
  const signOut = async () => {
    try {
      await account('/sign-out', {})
    } catch {
      return say('You could not be signed out. Try again.', 'bad')
    }
    goTo({ page: 'sign-in' })
    await server.reload()
  }
  if (user === null) return null
  return (
    <>
      <header className="page-head">
        <div>
          <h1>{user.name || 'Account'}</h1>
          <p className="muted">
            {user.email} · {user.role === 'admin' ? 'administrator' : 'member'} · Crossfade {version}
          </p>
        </div>
        <button type="button" className="button" onClick={() => void signOut()}>
          Sign out
        </button>
      </header>
      <Applications />
      <ApiTokens />
      <div className="columns">
        <Card title="Password">
          <ChangePassword email={user.email} onChanged={() => setRound((before) => before + 1)} />
        </Card>
        <Sessions key={round} onSelfRevoked={() => void server.reload()} />
      </div>
    </>
  )
}
