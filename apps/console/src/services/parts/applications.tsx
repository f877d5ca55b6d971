import { useState } from 'react'
import { Card, Loading, Trouble } from '../../parts/basics.tsx'
import { linkTo } from '../../router.ts'
import { useSay } from '../../state/toasts.tsx'
import { useData } from '../../state/use-data.ts'
import { useTick } from '../../state/use-tick.ts'
import { ago, moment } from '../../words.ts'
import type { Application } from '../contract.ts'
import { write } from '../requests.ts'
import { Confirm } from './confirm.tsx'

const refreshMs = 10_000

const scopeWords: Readonly<Record<string, string>> = {
  'mcp:read': 'call tools that only read',
  'mcp:call': 'call every tool',
  offline_access: 'stay connected',
}

/** MCP clients that the user let in by OAuth, and how to put one out. */
export function Applications() {
  const say = useSay()
  const now = useTick(refreshMs)
  const { data, error, reload } = useData<{ applications: readonly Application[] }>('/user/applications')
  const [ending, setEnding] = useState<Application | null>(null)
  const applications = data?.applications
  return (
    <Card title="Applications with access" flush>
      <p className="muted small pad">MCP clients that you let in on the consent page of this server.</p>
      {error !== null && <Trouble error={error} />}
      {!applications && error === null && <Loading what="applications" />}
      {applications?.length === 0 && (
        <p className="muted pad">None. A client that asks for access by itself shows up here once you allow it.</p>
      )}
      {applications && applications.length > 0 && (
        <table className="list stacked">
          <thead>
            <tr>
              <th>application</th>
              <th>instance</th>
              <th>may</th>
              <th>allowed</th>
              <th>last used</th>
              <th>
                <span className="unseen">action</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {applications.map((application) => (
              <tr key={application.id}>
                <td className="name" data-label="application">
                  <span>
                    <strong>{application.name}</strong>
                    <br />
                    <span className="muted small break">answers to {application.returnsTo}</span>
                  </span>
                </td>
                <td className="name" data-label="instance">
                  <Instances application={application} />
                </td>
                <td data-label="may">{mayOf(application.scopes)}</td>
                <td data-label="allowed">{moment(application.grantedAt)}</td>
                <td data-label="last used">{ago(application.lastUsedAt, now)}</td>
                <td className="number">
                  <button
                    type="button"
                    className="button button-small button-danger"
                    aria-label={`End the access of ${application.name}`}
                    onClick={() => setEnding(application)}
                  >
                    End access
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {ending && (
        <Confirm
          title={`End the access of ${ending.name}?`}
          label="End access"
          act={async () => {
            await write('DELETE', `/user/applications/${ending.id}`)
            say(`${ending.name} has no access any more.`)
            reload()
          }}
          onClose={() => setEnding(null)}
        >
          <p>
            It is refused at once, and has to ask you again. Keys, addresses and tokens of your own stay as they are.
          </p>
        </Confirm>
      )}
    </Card>
  )
}

function Instances({ application: { instances } }: { application: Application }) {
  if (instances.length === 0) return <span className="muted">nothing at the moment</span>
  return (
    <ul>
      {instances.map(({ instanceId, serviceType, displayName }) => (
        <li key={instanceId}>
          {displayName === null ? (
            <span className="muted">{serviceType}, no longer connected</span>
          ) : (
            <a {...linkTo({ page: 'service', serviceType, tab: 'connection' })}>{displayName}</a>
          )}
        </li>
      ))}
    </ul>
  )
}

/** Who may call every tool may call those that only read. */
function mayOf(scopes: readonly string[]): string {
  const told = scopes.filter((scope) => scope !== 'mcp:read' || !scopes.includes('mcp:call'))
  return told.map((scope) => scopeWords[scope] ?? scope).join(', ')
}
