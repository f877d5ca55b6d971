import { useState } from 'react'
import { Badge, Card, Trouble } from '../../parts/basics.tsx'
import { useSay } from '../../state/toasts.tsx'
import { ago, moment } from '../../words.ts'
import type { MintedToken, NewToken, Token } from '../contract.ts'
import { write } from '../requests.ts'
import { Confirm } from './confirm.tsx'
import { type Lives, NameAndLife } from './name-and-life.tsx'

const lives: Lives = [
  ['', 'until revoked'],
  ['30', '30 days'],
  ['90', '90 days'],
  ['365', 'a year'],
]

/** What opens an instance: its tokens, a form for a new one, and how to take one back. */
export function Tokens({
  serviceType,
  tokens,
  onMinted,
  onChanged,
}: {
  serviceType: string
  tokens: readonly Token[]
  onMinted: (token: MintedToken) => void
  onChanged: () => void
}) {
  const [isMaking, setMaking] = useState(false)
  const [withRevoked, setWithRevoked] = useState(false)
  const [revoking, setRevoking] = useState<Token | null>(null)
  const say = useSay()
  const now = Date.now()
  const over = tokens.filter((token) => isOver(token, now))
  const shown = withRevoked ? tokens : tokens.filter((token) => !isOver(token, now))
  return (
    <Card
      title="Tokens"
      aside={
        !isMaking && (
          <button type="button" className="button button-small" onClick={() => setMaking(true)}>
            New token
          </button>
        )
      }
      flush
    >
      {isMaking && (
        <NewTokenForm
          serviceType={serviceType}
          onDone={(minted) => {
            setMaking(false)
            onMinted(minted)
          }}
          onCancel={() => setMaking(false)}
        />
      )}
      {shown.length === 0 ? (
        <p className="muted pad">No token opens it now. Make one and paste it into your client.</p>
      ) : (
        <table className="list stacked">
          <thead>
            <tr>
              <th>name</th>
              <th>kind</th>
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
                <td data-label="name" className="name">
                  <strong>{token.name}</strong>
                </td>
                <td data-label="kind">
                  {token.kind === 'url' ? <Badge tone="warn">in the address</Badge> : 'bearer'}
                  {!token.scopes.includes('call') && <span className="muted small"> list only</span>}
                </td>
                <td data-label="last used">{ago(token.lastUsedAt, now)}</td>
                <td data-label="ends">{endOf(token, now)}</td>
                <td className="number">
                  {!isOver(token, now) && (
                    <button
                      type="button"
                      className="button button-small button-danger"
                      aria-label={`Revoke token ${token.name}`}
                      onClick={() => setRevoking(token)}
                    >
                      Revoke
                    </button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {over.length > 0 && (
        <p className="pad">
          <button type="button" className="link small" onClick={() => setWithRevoked(!withRevoked)}>
            {withRevoked ? 'Hide' : 'Show'} {over.length} that {over.length === 1 ? 'is' : 'are'} over
          </button>
        </p>
      )}
      {revoking && (
        <Confirm
          title={`Revoke token ${revoking.name}?`}
          label="Revoke"
          act={async () => {
            await write('DELETE', `/services/${serviceType}/instance/tokens/${revoking.id}`)
            say(`The token ${revoking.name} opens nothing any more.`)
            onChanged()
          }}
          onClose={() => setRevoking(null)}
        >
          <p>Clients that send it are refused at once, on every server. This can’t be undone; a new one can be made.</p>
        </Confirm>
      )}
    </Card>
  )
}

function NewTokenForm({
  serviceType,
  onDone,
  onCancel,
}: {
  serviceType: string
  onDone: (minted: MintedToken) => void
  onCancel: () => void
}) {
  const [name, setName] = useState('')
  const [days, setDays] = useState('')
  const [inUrl, setInUrl] = useState(false)
  const [listOnly, setListOnly] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const [sending, setSending] = useState(false)
  const make = async () => {
    setSending(true)
    setError(null)
    const wanted: NewToken = {
      name: name.trim(),
      kind: inUrl ? 'url' : 'bearer',
      ...(days && { expiresInDays: Number(days) }),
      ...(listOnly && { scopes: ['read'] }),
    }
    try {
      onDone(await write<MintedToken>('POST', `/services/${serviceType}/instance/tokens`, wanted))
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
      <NameAndLife name={name} onName={setName} example="laptop" days={days} onDays={setDays} lives={lives} />
      <label className="check">
        <input type="checkbox" checked={listOnly} onChange={(event) => setListOnly(event.target.checked)} />
        <span>May list tools, not call them</span>
      </label>
      <label className="check">
        <input type="checkbox" checked={inUrl} onChange={(event) => setInUrl(event.target.checked)} />
        <span>Put the secret into the address, for a client that can send no header</span>
      </label>
      {inUrl && (
        <p className="notice tone-warn">
          Addresses end up in histories, logs and screenshots. Whoever sees this one can use the service as you until
          you revoke it. Take a bearer token if your client can send one.
        </p>
      )}
      {error !== null && <Trouble error={error} />}
      <div className="actions">
        <button type="submit" className="button button-primary" disabled={sending}>
          {inUrl ? 'Make the secret address' : 'Make the token'}
        </button>
        <button type="button" className="button" onClick={onCancel}>
          Cancel
        </button>
      </div>
    </form>
  )
}

function isOver(token: Token, now: number): boolean {
  return token.revokedAt !== null || (token.expiresAt !== null && Date.parse(token.expiresAt) <= now)
}

function endOf(token: Token, now: number): string {
  if (token.revokedAt) return `revoked ${ago(token.revokedAt, now)}`
  if (token.expiresAt === null) return 'when revoked'
  return Date.parse(token.expiresAt) <= now ? `ended ${ago(token.expiresAt, now)}` : moment(token.expiresAt)
}
