import { useState } from 'react'
import { Card, Loading, Trouble } from '../../parts/basics.tsx'
import { useSay } from '../../state/toasts.tsx'
import { useData } from '../../state/use-data.ts'
import { ago, moment } from '../../words.ts'
import type { ApiToken } from '../contract.ts'
import { write } from '../requests.ts'
import { Confirm } from './confirm.tsx'
import { CopyLine } from './minted.tsx'
import { type Lives, NameAndLife } from './name-and-life.tsx'

const lives: Lives = [
  ['90', '90 days'],
  ['30', '30 days'],
  ['365', 'a year'],
  ['', 'until revoked'],
]

/** Tokens for programs that use this server's API in the user's name: the command line above all. */
export function ApiTokens() {
  const say = useSay()
  const { data, error, reload } = useData<{ tokens: readonly ApiToken[] }>('/user/tokens')
  const [isMaking, setMaking] = useState(false)
  const [secret, setSecret] = useState<string | null>(null)
  const [revoking, setRevoking] = useState<ApiToken | null>(null)
  const now = Date.now()
  const shown = data?.tokens.filter(
    (token) => token.revokedAt === null && (token.expiresAt === null || Date.parse(token.expiresAt) > now),
  )
  return (
    <Card
      title="Personal API tokens"
      aside={
        !isMaking && (
          <button type="button" className="button button-small" onClick={() => setMaking(true)}>
            New API token
          </button>
        )
      }
      flush
    >
      <p className="muted small pad">
        For the command line and your own programs. They act as you on this server; MCP clients take the tokens of an
        instance instead.
      </p>
      {secret !== null && (
        <div className="form pad">
          <p className="notice tone-warn">The token is shown this once. Copy it now.</p>
          <CopyLine label="API token" what="API token" value={secret} />
          <div className="actions">
            <button type="button" className="button" onClick={() => setSecret(null)}>
              I have it: hide the token
            </button>
          </div>
        </div>
      )}
      {isMaking && (
        <NewApiTokenForm
          onDone={(made) => {
            setSecret(made)
            setMaking(false)
            reload()
          }}
          onCancel={() => setMaking(false)}
        />
      )}
      {error !== null && <Trouble error={error} />}
      {!shown && error === null && <Loading what="tokens" />}
      {shown?.length === 0 && !isMaking && secret === null && <p className="muted pad">You have none.</p>}
      {shown && shown.length > 0 && (
        <table className="list stacked">
          <thead>
            <tr>
              <th>name</th>
              <th>may</th>
              <th>last used</th>
              <th>ends</th>
              <th>
                <span className="unseen">action</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.map((token) => (
              <tr key={token.id}>
                <td className="name" data-label="name">
                  <strong>{token.name}</strong>
                </td>
                <td data-label="may">{token.scopes.join(' and ')}</td>
                <td data-label="last used">{ago(token.lastUsedAt, now)}</td>
                <td data-label="ends">{token.expiresAt ? moment(token.expiresAt) : 'when revoked'}</td>
                <td className="number">
                  <button
                    type="button"
                    className="button button-small button-danger"
                    aria-label={`Revoke API token ${token.name}`}
                    onClick={() => setRevoking(token)}
                  >
                    Revoke
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {revoking && (
        <Confirm
          title={`Revoke API token ${revoking.name}?`}
          label="Revoke"
          act={async () => {
            await write('DELETE', `/user/tokens/${revoking.id}`)
            say(`The API token ${revoking.name} opens nothing any more.`)
            reload()
          }}
          onClose={() => setRevoking(null)}
        >
          <p>Programs that send it are refused from now on. This can’t be undone; a new one can be made.</p>
        </Confirm>
      )}
    </Card>
  )
}

function NewApiTokenForm({ onDone, onCancel }: { onDone: (secret: string) => void; onCancel: () => void }) {
  const [name, setName] = useState('')
  const [days, setDays] = useState('90')
  const [readOnly, setReadOnly] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const [sending, setSending] = useState(false)
  const make = async () => {
    setSending(true)
    setError(null)
    try {
      const wanted = {
        name: name.trim(),
        scopes: readOnly ? ['read'] : ['read', 'write'],
        expiresInDays: days === '' ? null : Number(days),
      }
      onDone((await write<{ secret: string }>('POST', '/user/tokens', wanted)).secret)
    } catch (trouble) {
      setError(trouble)
      setSending(false)
    }
  }
  return (
    <form
      className="form pad"
      onSubmit={(event) => {
        event.preventDefault()
        void make()
      }}
    >
      <NameAndLife name={name} onName={setName} example="command line" days={days} onDays={setDays} lives={lives} />
      <label className="check">
        <input type="checkbox" checked={readOnly} onChange={(event) => setReadOnly(event.target.checked)} />
        <span>May read, not change anything</span>
      </label>
      {error !== null && <Trouble error={error} />}
      <div className="actions">
        <button type="submit" className="button button-primary" disabled={sending}>
          Make the API token
        </button>
        <button type="button" className="button" onClick={onCancel}>
          Cancel
        </button>
      </div>
    </form>
  )
}
