import { type KeyboardEvent, useEffect, useRef, useState } from 'react'
import { Badge, Empty, Loading, Trouble } from '../../parts/basics.tsx'
import { linkTo } from '../../router.ts'
import { useTitle } from '../../state/use-title.ts'
import type { ServicePage, ServiceSummary } from '../contract.ts'
import { Avatar } from '../parts/avatar.tsx'
import { HealthDot } from '../parts/health-dot.tsx'
import { useKept } from '../use-kept.ts'
import { useSettled } from '../use-settled.ts'
import { authWord, categoryWord, plural } from '../words.ts'

/** How many more are shown at a time; the API gives at most 200. */
const pageEntries = 60
const entriesMax = 200

const connections = [
  ['', 'All'],
  ['true', 'Connected'],
  ['false', 'Not connected'],
] as const

/** Every service there is, searched as one types. */
export function CatalogPage() {
  useTitle('Services')
  const [begun] = useState(() => new URLSearchParams(location.search))
  const [search, setSearch] = useState(begun.get('search') ?? '')
  const [category, setCategory] = useState(begun.get('category') ?? '')
  const [connected, setConnected] = useState(begun.get('connected') ?? '')
  const [limit, setLimit] = useState(pageEntries)
  const [offset, setOffset] = useState(0)
  const settled = useSettled(search)
  const list = useRef<HTMLUListElement>(null)
  const field = useRef<HTMLInputElement>(null)
  const query = new URLSearchParams({
    ...(settled && { search: settled }),
    ...(category && { category }),
    ...(connected && { connected }),
  }).toString()
  const { data, error, isOld } = useKept<ServicePage>(
    `/services?${query}${query && '&'}limit=${limit}&offset=${offset}`,
  )

  // The address keeps what was looked for, so that the way back leads to the same list.
  useEffect(() => history.replaceState(null, '', `/services${query && `?${query}`}`), [query])
  useEffect(() => {
    const onKey = (event: globalThis.KeyboardEvent) => {
      if (event.key !== '/' || event.target instanceof HTMLInputElement || event.metaKey || event.ctrlKey) return
      event.preventDefault()
      field.current?.focus()
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [])
  const choose = (set: (value: string) => void) => (value: string) => {
    set(value)
    setLimit(pageEntries)
    setOffset(0)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
    if (step === 0) return
    const links = [...(list.current?.querySelectorAll('a') ?? [])]
    const next = links.indexOf(document.activeElement as HTMLAnchorElement) + step
    event.preventDefault()
    if (next < 0) field.current?.focus()
    else links[next]?.focus()
  }
  const total = data?.total ?? 0
  const shown = data ? data.offset + data.services.length : 0
  const more = () => {
    if (limit + pageEntries <= entriesMax && offset === 0) setLimit(limit + pageEntries)
    else {
      setOffset(shown)
      scrollTo(0, 0)
    }
  }
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: arrows lead from link to link; every link is reached by Tab as well
    <div className="catalog" onKeyDown={onKeyDown}>
      <header className="page-head">
        <div>
          <h1>Services</h1>
          <p className="muted">Store a key once; use the service from every MCP client.</p>
        </div>
      </header>
      <div className="catalog-filters">
        <input
          ref={field}
          type="search"
          className="search"
          placeholder="Search by name, purpose or category"
          title="Press / to search"
          aria-label="Search services"
          value={search}
          onChange={(event) => choose(setSearch)(event.target.value)}
        />
        <select
          className="select catalog-category"
          aria-label="Category"
          value={category}
          onChange={(event) => choose(setCategory)(event.target.value)}
        >
          <option value="">All categories</option>
          {data?.categories.map((one) => (
            <option key={one.category} value={one.category}>
              {categoryWord(one.category)} ({one.services})
            </option>
          ))}
        </select>
        <div className="segments">
          {connections.map(([value, label]) => (
            <button
              key={value}
              type="button"
              className="segment"
              aria-pressed={connected === value}
              onClick={() => choose(setConnected)(value)}
            >
              {label}
            </button>
          ))}
        </div>
      </div>
      <nav className="catalog-side" aria-label="Categories">
        <Category name="" label="All" count={sum(data)} chosen={category} onChoose={choose(setCategory)} />
        {data?.categories.map((one) => (
          <Category
            key={one.category}
            name={one.category}
            label={categoryWord(one.category)}
            count={one.services}
            chosen={category}
            onChoose={choose(setCategory)}
          />
        ))}
      </nav>
      <div className="catalog-list" aria-busy={isOld}>
        {error !== null && <Trouble error={error} />}
        {!data && error === null && <Loading what="services" />}
        <p className="muted small" role="status">
          {data && (total === 0 ? '' : plural(total, 'service'))}
          {offset > 0 && ` from the ${offset + 1}th`}
        </p>
        <ul ref={list} className="service-grid">
          {data?.services.map((service) => (
            <ServiceCard key={service.serviceType} service={service} />
          ))}
        </ul>
        {data && total === 0 && (
          <Nothing
            connected={connected === 'true' && !settled && !category}
            onShowAll={() => choose(setConnected)('')}
          />
        )}
        {(shown < total || offset > 0) && (
          <div className="actions more">
            {offset > 0 && (
              <button type="button" className="button" onClick={() => setOffset(0)}>
                Back to the first
              </button>
            )}
            {shown < total && (
              <button type="button" className="button" onClick={more}>
                Show more ({total - shown} left)
              </button>
            )}
          </div>
        )}
      </div>
    </div>
  )
}

function ServiceCard({ service }: { service: ServiceSummary }) {
  return (
    <li>
      <a className="service-card" {...linkTo({ page: 'service', serviceType: service.serviceType, tab: 'connection' })}>
        <Avatar name={service.displayName} />
        <span className="service-name">
          <strong>{service.displayName}</strong>
          <HealthDot health={service.health} />
        </span>
        {service.instanceId !== null && <Badge tone="good">connected</Badge>}
        <span className="service-text clamp">{service.description}</span>
        <span className="service-facts muted small">
          <span>{categoryWord(service.category)}</span>
          <span>{authWord[service.auth]}</span>
          <span>{plural(service.listedTools, 'tool')}</span>
        </span>
      </a>
    </li>
  )
}

function Category({
  name,
  label,
  count,
  chosen,
  onChoose,
}: {
  name: string
  label: string
  count: number
  chosen: string
  onChoose: (name: string) => void
}) {
  return (
    <button type="button" className="side-choice" aria-pressed={chosen === name} onClick={() => onChoose(name)}>
      <span>{label}</span>
      <span className="muted small">{count}</span>
    </button>
  )
}

function Nothing({ connected, onShowAll }: { connected: boolean; onShowAll: () => void }) {
  return connected ? (
    <Empty title="No service is connected yet">
      <p>Choose one from the list, enter its key, and copy its address into your client.</p>
      <p>
        <button type="button" className="button button-primary" onClick={onShowAll}>
          Look at all services
        </button>
      </p>
    </Empty>
  ) : (
    <Empty title="No service matches">
      <p>
        Try fewer letters or another category. Any API that has an OpenAPI description can be{' '}
        <a {...linkTo({ page: 'imports' })}>imported</a>, and any remote MCP server.
      </p>
    </Empty>
  )
}

function sum(data: ServicePage | null): number {
  return data?.categories.reduce((total, one) => total + one.services, 0) ?? 0
}
