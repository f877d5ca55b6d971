import { useState } from 'react'
import { Card, Empty, Loading, Trouble } from '../../parts/basics.tsx'
import { linkTo } from '../../router.ts'
import { useTick } from '../../state/use-tick.ts'
import { useTitle } from '../../state/use-title.ts'
import { count, milliseconds, percent } from '../../words.ts'
import type { Usage } from '../contract.ts'
import { UsageFigures } from '../parts/usage-figures.tsx'
import { useKept } from '../use-kept.ts'

const refreshMs = 15_000
const ranges = [
  ['hour', '48 hours'],
  ['day', '30 days'],
] as const

/** What the user used, of all services or one. */
export function UsagePage() {
  useTitle('Usage')
  const [by, setBy] = useState<Usage['by']>('day')
  const [chosen, setChosen] = useState('')
  const now = useTick(refreshMs)
  const all = useKept<Usage>(`/user/usage?${new URLSearchParams({ by })}`, now)
  const one = useKept<Usage>(`/user/usage?${new URLSearchParams({ by, ...(chosen && { serviceType: chosen }) })}`, now)
  const services = all.data?.services ?? []
  return (
    <>
      <header className="page-head">
        <div>
          <h1>Usage</h1>
          <p className="muted">
            Calls of your tools, by clients and from this page. Times are of the whole call; days are UTC.
          </p>
        </div>
        <div className="head-controls">
          <select
            className="select"
            aria-label="Service"
            value={chosen}
            onChange={(event) => setChosen(event.target.value)}
          >
            <option value="">all services</option>
            {services.map(({ serviceType, displayName }) => (
              <option key={serviceType} value={serviceType}>
                {displayName}
              </option>
            ))}
          </select>
          <div className="segments">
            {ranges.map(([value, label]) => (
              <button
                key={value}
                type="button"
                className="segment"
                aria-pressed={by === value}
                onClick={() => setBy(value)}
              >
                {label}
              </button>
            ))}
          </div>
        </div>
      </header>
      {all.error !== null && <Trouble error={all.error} />}
      {!one.data && all.error === null && <Loading what="usage" />}
      {one.data && one.data.totals.requests === 0 && (
        <Empty title="Nothing was called in this time">
          <p>
            <a {...linkTo({ page: 'services' })}>Connect a service</a>, then paste its address into a client or try a
            tool from its page.
          </p>
        </Empty>
      )}
      {one.data && one.data.totals.requests > 0 && <UsageFigures usage={one.data} serviceType={chosen || null} />}
      {services.length > 0 && (
        <Card title="By service" flush>
          <table className="list stacked">
            <thead>
              <tr>
                <th>service</th>
                <th className="number">requests</th>
                <th className="number">failed</th>
                <th className="number">p50</th>
                <th className="number">p95</th>
                <th className="number">p99</th>
              </tr>
            </thead>
            <tbody>
              {services.map((service) => (
                <tr key={service.serviceType}>
                  <td className="name" data-label="service">
                    <a {...linkTo({ page: 'service', serviceType: service.serviceType, tab: 'usage' })}>
                      {service.displayName}
                    </a>
                  </td>
                  <td className="number" data-label="requests">
                    {count(service.requests)}
                  </td>
                  <td className="number" data-label="failed">
                    <span className={service.errors > 0 ? 'text-bad' : ''}>
                      {count(service.errors)}
                      {service.errors > 0 && ` (${percent(service.errors / service.requests)})`}
                    </span>
                  </td>
                  <td className="number" data-label="p50">
                    {milliseconds(service.p50Ms)}
                  </td>
                  <td className="number" data-label="p95">
                    {milliseconds(service.p95Ms)}
                  </td>
                  <td className="number" data-label="p99">
                    {milliseconds(service.p99Ms)}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Card>
      )}
    </>
  )
}
