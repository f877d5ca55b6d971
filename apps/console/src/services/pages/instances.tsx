import { Badge, Card, Empty, Loading, Trouble } from '../../parts/basics.tsx'
import { linkTo } from '../../router.ts'
import { useData } from '../../state/use-data.ts'
import { useTick } from '../../state/use-tick.ts'
import { useTitle } from '../../state/use-title.ts'
import { ago, count } from '../../words.ts'
import type { Instance } from '../contract.ts'
import { Avatar } from '../parts/avatar.tsx'
import { CopyButton } from '../parts/copy-button.tsx'
import { healthWord, stateWord } from '../words.ts'

const refreshMs = 10_000

/** Every service that the user is connected to; those that need something first. */
export function InstancesPage() {
  useTitle('Instances')
  const now = useTick(refreshMs)
  const { data, error } = useData<{ instances: readonly Instance[] }>('/user/instances', now)
  const instances = data?.instances.toSorted(
    (one, other) =>
      Number(other.state === 'needs_authorization') - Number(one.state === 'needs_authorization') ||
      one.displayName.localeCompare(other.displayName),
  )
  return (
    <>
      <header className="page-head">
        <div>
          <h1>Instances</h1>
          <p className="muted">The services that you are connected to, each with an address of its own.</p>
        </div>
        <a className="button button-primary button-link" {...linkTo({ page: 'services' })}>
          Connect a service
        </a>
      </header>
      {error !== null && <Trouble error={error} />}
      {!instances && error === null && <Loading what="instances" />}
      {instances?.length === 0 && (
        <Empty title="No service is connected yet">
          <p>Find a service, enter its key once, and copy the address into any MCP client.</p>
        </Empty>
      )}
      {instances && instances.length > 0 && (
        <Card flush>
          <table className="list stacked">
            <thead>
              <tr>
                <th>service</th>
                <th>state</th>
                <th>health</th>
                <th>account</th>
                <th className="number">tokens</th>
                <th className="number">calls</th>
                <th>last used</th>
                <th>
                  <span className="unseen">address</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {instances.map((instance) => (
                <InstanceRow key={instance.instanceId} instance={instance} now={now} />
              ))}
            </tbody>
          </table>
        </Card>
      )}
    </>
  )
}

function InstanceRow({ instance, now }: { instance: Instance; now: number }) {
  const state = stateWord[instance.state]
  const health = healthWord[instance.health.state]
  const to = linkTo({ page: 'service', serviceType: instance.serviceType, tab: 'connection' })
  return (
    <tr>
      <td className="name" data-label="service">
        <a className="instance-name" {...to}>
          <Avatar name={instance.displayName} />
          <strong>{instance.displayName}</strong>
        </a>
      </td>
      <td data-label="state">
        {instance.state === 'needs_authorization' ? (
          <a className="button button-small button-danger button-link" {...to}>
            Enter a new key
          </a>
        ) : (
          <Badge tone={state.tone}>{state.text}</Badge>
        )}
      </td>
      <td data-label="health">
        <Badge tone={health.tone}>{health.text}</Badge>
      </td>
      <td className={instance.credential.accountLabel === null ? 'blank' : ''} data-label="account">
        {instance.credential.accountLabel ?? <span className="muted">–</span>}
      </td>
      <td className="number" data-label="tokens">
        {count(instance.tokens)}
      </td>
      <td className="number" data-label="calls">
        {count(instance.usageCount)}
      </td>
      <td data-label="last used">{ago(instance.lastUsedAt, now)}</td>
      <td className="number" data-label="address">
        <CopyButton text={() => instance.url} what={`address of ${instance.displayName}`} />
      </td>
    </tr>
  )
}
