import { useState } from 'react'
import { Badge, Card, Empty, Loading, Trouble } from '../../parts/basics.tsx'
import { linkTo } from '../../router.ts'
import { useData } from '../../state/use-data.ts'
import { useTick } from '../../state/use-tick.ts'
import { useTitle } from '../../state/use-title.ts'
import { ago, milliseconds, percent } from '../../words.ts'
import type { Health, ServiceHealth } from '../contract.ts'
import { healthWord, plural } from '../words.ts'

const refreshMs = 15_000
/** More than these are found by their name. */
const shownMax = 50
const order: readonly Health['state'][] = ['unhealthy', 'paused', 'healthy', 'unknown']

/** Which services are not well, and why. */
export function HealthPage() {
  useTitle('Health')
  const now = useTick(refreshMs)
  const { data, error } = useData<ServiceHealth>('/health', now)
  const [chosen, setChosen] = useState<Health['state'] | null>(null)
  const [search, setSearch] = useState('')
  const first = data && (order.find((state) => data.counts[state] > 0) ?? 'healthy')
  const state = chosen ?? first ?? 'unhealthy'
  const word = search.trim().toLowerCase()
  const matching =
    data?.services.filter(
      (service) =>
        service.health.state === state &&
        (service.displayName.toLowerCase().includes(word) || service.serviceType.includes(word)),
    ) ?? []
  return (
    <>
      <header className="page-head">
        <div>
          <h1>Health</h1>
          <p className="muted">{data ? summaryOf(data) : 'Whether the services answer, as the server last saw it.'}</p>
        </div>
        <input
          type="search"
          className="search head-search"
          placeholder="Find a service"
          aria-label="Find a service"
          value={search}
          onChange={(event) => setSearch(event.target.value)}
        />
      </header>
      {error !== null && <Trouble error={error} />}
      {!data && error === null && <Loading what="health" />}
      {data && (
        <>
          <div className="health-counts">
            {order.map((one) => (
              <button
                key={one}
                type="button"
                className={`health-count tone-${healthWord[one].tone}`}
                aria-pressed={one === state}
                onClick={() => setChosen(one)}
              >
                <span className={data.counts[one] > 0 ? 'health-number' : 'health-number muted'}>
                  {data.counts[one]}
                </span>
                <span>{healthWord[one].text}</span>
              </button>
            ))}
          </div>
          {matching.length === 0 ? (
            <Empty title={word ? 'No service matches' : `No service is ${healthWord[state].text}`}>
              <p>{state === 'unhealthy' ? 'That is as it should be.' : 'Choose another state above.'}</p>
            </Empty>
          ) : (
            <Card flush>
              <table className="list stacked">
                <thead>
                  <tr>
                    <th>service</th>
                    <th>state</th>
                    <th className="number">answers in</th>
                    <th className="number">uptime</th>
                    <th>checked</th>
                    <th>why</th>
                  </tr>
                </thead>
                <tbody>
                  {matching.slice(0, shownMax).map(({ serviceType, displayName, health }) => (
                    <tr key={serviceType}>
                      <td className="name" data-label="service">
                        <a {...linkTo({ page: 'service', serviceType, tab: 'connection' })}>{displayName}</a>
                      </td>
                      <td data-label="state">
                        <Badge tone={healthWord[health.state].tone}>{healthWord[health.state].text}</Badge>
                      </td>
                      <td className={`number${health.responseTimeMs === null ? ' blank' : ''}`} data-label="answers in">
                        {milliseconds(health.responseTimeMs)}
                      </td>
                      <td className={`number${health.uptimePercentage === null ? ' blank' : ''}`} data-label="uptime">
                        {health.uptimePercentage === null ? '–' : percent(health.uptimePercentage / 100)}
                      </td>
                      <td className={health.lastCheckAt === null ? 'blank' : ''} data-label="checked">
                        {ago(health.lastCheckAt, now)}
                      </td>
                      <td className={`name${health.message === null ? ' blank' : ''}`} data-label="why">
                        {health.message ?? <span className="muted">–</span>}
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
              {matching.length > shownMax && (
                <p className="muted pad">
                  {plural(matching.length - shownMax, 'more service')}: type a name to find one.
                </p>
              )}
            </Card>
          )}
        </>
      )}
    </>
  )
}

function summaryOf({ counts, services }: ServiceHealth): string {
  if (counts.unknown === services.length)
    return 'No service was looked at yet. Services are checked once somebody uses them.'
  const bad = counts.unhealthy + counts.paused
  return bad === 0 ? 'Every service that was looked at is well.' : `${plural(bad, 'service')} not well.`
}
