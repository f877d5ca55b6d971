import { useState } from 'react'
import { Badge, Card, Trouble } from '../../parts/basics.tsx'
import { useSay } from '../../state/toasts.tsx'
import { useTick } from '../../state/use-tick.ts'
import { ago, count, moment } from '../../words.ts'
import type { Authenticated, InstanceDetail, MintedToken, ServiceDetail } from '../contract.ts'
import { write } from '../requests.ts'
import { plural, stateWord } from '../words.ts'
import { Confirm } from './confirm.tsx'
import { ConnectForm } from './connect-form.tsx'
import { CopyLine } from './minted.tsx'
import { Snippets } from './snippets.tsx'
import { Tokens } from './tokens.tsx'

/** A user's instance: how it stands, its address, its tokens, and what can be done with its key. */
export function Connection({
  service,
  detail,
  withAddress,
  onConnected,
  onMinted,
  onChanged,
  onRemoved,
}: {
  service: ServiceDetail
  detail: InstanceDetail
  withAddress: boolean
  onConnected: (done: Authenticated) => void
  onMinted: (token: MintedToken) => void
  onChanged: () => void
  onRemoved: () => void
}) {
  const { instance } = detail
  const { credential } = instance
  const say = useSay()
  const now = useTick(10_000)
  const [isReplacing, setReplacing] = useState(instance.state === 'needs_authorization')
  const [asking, setAsking] = useState<'pause' | 'remove' | null>(null)
  const [error, setError] = useState<unknown>(null)
  const path = `/services/${service.serviceType}/instance`
  const { text, tone } = stateWord[instance.state]
  const hasKey = credential.kind !== 'none'
  const isPaused = instance.state === 'paused'
  const resume = async () => {
    setError(null)
    try {
      await write('PATCH', path, { active: true })
      say('It answers again.', 'good')
      onChanged()
    } catch (trouble) {
      setError(trouble)
    }
  }
  return (
    <div className="service-columns">
      <div className="stack">
        {instance.state === 'needs_authorization' && (
          <div className="notice tone-bad" role="alert">
            {service.displayName} does not accept the stored key any more. Calls fail until you{' '}
            {service.oauth?.available ? 'connect it again' : 'enter a new one'} below; address, tokens and settings
            stay.
          </div>
        )}
        {isPaused && (
          <div className="notice tone-warn">
            Paused by you: clients are refused until you resume it.{' '}
            <button type="button" className="button button-small" onClick={() => void resume()}>
              Resume
            </button>
          </div>
        )}
        {error !== null && <Trouble error={error} />}
        {withAddress && (
          <Card title="Address">
            <div className="form">
              <CopyLine label="For MCP clients" what="address" value={instance.url} />
              <p className="muted small">
                Clients send a token of yours with it, or sign you in by OAuth. The address alone opens nothing.
              </p>
              <Snippets snippets={detail.snippets} />
            </div>
          </Card>
        )}
        <Tokens serviceType={service.serviceType} tokens={detail.tokens} onMinted={onMinted} onChanged={onChanged} />
      </div>
      <div className="stack">
        <Card title="Key" aside={<Badge tone={tone}>{text}</Badge>}>
          <dl className="rows">
            <Row name="Account" value={credential.accountLabel ?? 'not told by the service'} />
            <Row name="Checked" value={credential.verified ? 'with the service' : 'not yet'} />
            {credential.expiresAt && <Row name="Access until" value={moment(credential.expiresAt)} />}
            <Row name="Version" value={String(credential.version)} />
            <Row name="Last used" value={ago(instance.lastUsedAt, now)} />
            <Row name="Calls" value={count(instance.usageCount)} />
            <Row name="Since" value={moment(instance.createdAt)} />
            <Row name="Instance" value={<code className="break">{instance.instanceId}</code>} />
          </dl>
          {isReplacing ? (
            <ConnectForm
              service={service}
              isReplacing
              known={instance.settings.variables}
              onDone={(done) => {
                setReplacing(false)
                onConnected(done)
              }}
              {...(instance.state !== 'needs_authorization' && { onCancel: () => setReplacing(false) })}
            />
          ) : (
            <div className="actions">
              <button type="button" className="button" onClick={() => setReplacing(true)}>
                {hasKey ? 'Replace key' : 'Change'}
              </button>
              {!isPaused && (
                <button type="button" className="button" onClick={() => setAsking('pause')}>
                  Pause
                </button>
              )}
              <button type="button" className="button button-danger" onClick={() => setAsking('remove')}>
                Revoke {hasKey ? 'key' : 'address'}
              </button>
            </div>
          )}
        </Card>
      </div>
      {asking === 'pause' && (
        <Confirm
          title={`Pause ${service.displayName}?`}
          label="Pause"
          grave={false}
          act={async () => {
            await write('PATCH', path, { active: false })
            say('It is paused.')
            onChanged()
          }}
          onClose={() => setAsking(null)}
        >
          <p>Every client is refused at once until you resume it. Key, address and tokens stay.</p>
        </Confirm>
      )}
      {asking === 'remove' && (
        <Confirm
          title={`Revoke your ${hasKey ? 'key' : 'address'} of ${service.displayName}?`}
          label={`Revoke ${hasKey ? 'key' : 'address'}`}
          act={async () => {
            await write('DELETE', path)
            say(`${service.displayName} is disconnected.`)
            onRemoved()
          }}
          onClose={() => setAsking(null)}
        >
          <p>
            {hasKey ? 'The stored key is deleted, and its address' : 'The address'} and{' '}
            {plural(instance.tokens, 'token')} stop working on every server at once. Clients that use them need a new
            address. This can’t be undone.
          </p>
          {hasKey && (
            <p className="muted">The key itself stays valid at {service.displayName} until you delete it there.</p>
          )}
        </Confirm>
      )}
    </div>
  )
}

function Row({ name, value }: { name: string; value: React.ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  )
}
