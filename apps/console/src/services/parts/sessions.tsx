import { useCallback, useEffect, useState } from 'react'
import { Badge, Card, Loading, Trouble } from '../../parts/basics.tsx'
import { useSay } from '../../state/toasts.tsx'
import { moment } from '../../words.ts'
import { account } from '../requests.ts'

/** What the page keeps of a session: not the secret that comes with it. */
interface Shown {
  readonly id: string
  readonly createdAt: string
  readonly ipAddress: string
  readonly browser: string
}

type Listed = Omit<Shown, 'browser'> & { readonly userAgent?: string; readonly token: string }

/** Where the user is signed in, and how to end it. */
export function Sessions({ onSelfRevoked }: { onSelfRevoked: () => void }) {
  const say = useSay()
  const [sessions, setSessions] = useState<readonly Shown[] | null>(null)
  const [own, setOwn] = useState<string | null>(null)
  const [error, setError] = useState<unknown>(null)
  const read = useCallback(async () => {
    try {
      const [listed, current] = await Promise.all([
        account<readonly Listed[]>('/list-sessions'),
        account<{ session: { id: string } } | null>('/get-session'),
      ])
      setOwn(current?.session.id ?? null)
      setSessions(
        listed
          .map(({ id, createdAt, ipAddress, userAgent }) => ({
            id,
            createdAt,
            ipAddress,
            browser: browserOf(userAgent),
          }))
          .sort((one, other) => other.createdAt.localeCompare(one.createdAt)),
      )
    } catch (trouble) {
      setError(trouble)
    }
  }, [])
  useEffect(() => void read(), [read])
  const end = async (id: string) => {
    setError(null)
    try {
      const listed = await account<readonly Listed[]>('/list-sessions')
      const token = listed.find((session) => session.id === id)?.token
      if (token !== undefined) await account('/revoke-session', { token })
      if (id === own) return onSelfRevoked()
      say('The session is over.')
      await read()
    } catch (trouble) {
      setError(trouble)
    }
  }
  const endOthers = async () => {
    setError(null)
    try {
      await account('/revoke-other-sessions', {})
      say('Every other session is over.')
      await read()
    } catch (trouble) {
      setError(trouble)
    }
  }
  return (
    <Card
      title="Sessions"
      aside={
        (sessions?.length ?? 0) > 1 && (
          <button type="button" className="button button-small" onClick={() => void endOthers()}>
            End all others
          </button>
        )
      }
      flush
    >
      {error !== null && <Trouble error={error} />}
      {sessions === null && error === null && <Loading what="sessions" />}
      <ul className="session-list">
        {sessions?.map((session) => (
          <li key={session.id}>
            <span>
              <strong>{session.browser}</strong> {session.id === own && <Badge tone="good">this one</Badge>}
              <br />
              <span className="muted small">
                since {moment(session.createdAt)}
                {session.ipAddress && `, from ${session.ipAddress}`}
              </span>
            </span>
            {session.id !== own && (
              <button
                type="button"
                className="button button-small"
                aria-label={`End the session of ${session.browser} since ${moment(session.createdAt)}`}
                onClick={() => void end(session.id)}
              >
                End
              </button>
            )}
          </li>
        ))}
      </ul>
    </Card>
  )
}

const browsers = ['Edg', 'OPR', 'Firefox', 'Chrome', 'Safari', 'curl'] as const
const systems = ['Windows', 'Android', 'iPhone', 'iPad', 'Mac OS', 'Linux'] as const
const names: Readonly<Record<string, string>> = { Edg: 'Edge', OPR: 'Opera', 'Mac OS': 'macOS' }

/** `Firefox on Linux`, as far as the browser says so. */
function browserOf(userAgent = ''): string {
  const name = (known: readonly string[]) => {
    const found = known.find((one) => userAgent.includes(one))
    return found && (names[found] ?? found)
  }
  const browser = name(browsers) ?? 'a program'
  const system = name(systems)
  return system ? `${browser} on ${system}` : browser
}
