import { type ReactNode, useEffect, useRef, useState } from 'react'
import { call } from '../../api/client.ts'
import { Badge, Card, Empty, Loading, Trouble } from '../../parts/basics.tsx'
import { goToPath, linkTo, type ServiceTab, serviceTabs } from '../../router.ts'
import { useSay } from '../../state/toasts.tsx'
import { useData } from '../../state/use-data.ts'
import { useTitle } from '../../state/use-title.ts'
import type { Authenticated, InstanceDetail, MintedToken, ServiceDetail } from '../contract.ts'
import { Avatar } from '../parts/avatar.tsx'
import { ConnectForm } from '../parts/connect-form.tsx'
import { Connection } from '../parts/connection.tsx'
import { MintedPanel } from '../parts/minted.tsx'
import { ServiceUsage } from '../parts/service-usage.tsx'
import { ToolSelection } from '../parts/tool-selection.tsx'
import { NoOperations, TryTool } from '../parts/try-tool.tsx'
import { write } from '../requests.ts'
import { authorizationFailure, authWord, categoryWord, healthWord, plural } from '../words.ts'

const tabWords: Readonly<Record<ServiceTab, string>> = {
  connection: 'Connection',
  try: 'Try a tool',
  tools: 'Tools',
  usage: 'Usage',
}

/** One service: what it is, how to connect it, and everything about the user's own instance of it. */
export function ServicePage({ serviceType, tab }: { serviceType: string; tab: ServiceTab }) {
  const path = `/services/${encodeURIComponent(serviceType)}`
  const { data: service, error, reload } = useData<ServiceDetail>(path)
  useTitle(service?.displayName ?? serviceType)
  const say = useSay()
  const [minted, setMinted] = useState<MintedToken | null>(null)
  const [version, setVersion] = useState(0)
  const failed = useReturn(path, (service?.instanceId ?? null) !== null, setMinted)
  const changed = () => {
    setVersion((before) => before + 1)
    reload()
  }
  const connected = (done: Authenticated) => {
    setMinted(done.minted)
    if (done.outcome !== 'connected') say(done.outcome === 'replaced' ? 'The key is replaced.' : 'It is the same key.')
    else say(`${done.instance.displayName} is connected.`, 'good')
    changed()
  }
  if (!service) return error === null ? <Loading what="the service" /> : <NoService error={error} />
  const isConnected = service.instanceId !== null
  return (
    <>
      <ServiceHead service={service} />
      {failed && (
        <div className="trouble" role="alert">
          <div className="trouble-head">
            <code>{failed}</code> {authorizationFailure(failed).message}
          </div>
          <div className="trouble-remedy">→ {authorizationFailure(failed).remedy}</div>
        </div>
      )}
      {minted && (
        <MintedPanel
          key={minted.token.id}
          minted={minted}
          title={
            minted.token.name === 'default' ? `Use ${service.displayName} in your client` : `Token ${minted.token.name}`
          }
          onDone={() => setMinted(null)}
        />
      )}
      {isConnected ? (
        <>
          <Tabs serviceType={service.serviceType} tab={tab} />
          <Connected
            service={service}
            tab={tab}
            version={version}
            isTokenShown={minted !== null}
            onConnected={connected}
            onMinted={(token) => {
              setMinted(token)
              changed()
              scrollTo({ top: 0 })
            }}
            onChanged={changed}
            onRemoved={() => {
              setMinted(null)
              goToPath(path, 'replace')
              changed()
            }}
          />
        </>
      ) : (
        <div className="service-columns">
          <Card title={`Connect ${service.displayName}`}>
            <ConnectForm service={service} onDone={connected} />
          </Card>
          <WhatItGives service={service} />
        </div>
      )}
    </>
  )
}

function Connected({
  service,
  tab,
  version,
  isTokenShown,
  onRemoved,
  onConnected,
  onMinted,
  onChanged,
}: {
  service: ServiceDetail
  tab: ServiceTab
  version: number
  /** Address and snippets stand above already, with the token in them. */
  isTokenShown: boolean
  onConnected: (done: Authenticated) => void
  onMinted: (token: MintedToken) => void
  onChanged: () => void
  onRemoved: () => void
}) {
  const { data, error } = useData<InstanceDetail>(`/services/${service.serviceType}/instance`, version)
  if (!data) return error === null ? <Loading what="your instance" /> : <Trouble error={error} />
  switch (tab) {
    case 'connection':
      return (
        <Connection
          service={service}
          detail={data}
          withAddress={!isTokenShown}
          onConnected={onConnected}
          onMinted={onMinted}
          onChanged={onChanged}
          onRemoved={onRemoved}
        />
      )
    case 'try':
      return <TryTool service={service} />
    case 'tools':
      if (service.operations === 0) return <NoOperations service={service} />
      return (
        <ToolSelection key={data.instance.updatedAt} service={service} instance={data.instance} onSaved={onChanged} />
      )
    case 'usage':
      return <ServiceUsage serviceType={service.serviceType} />
  }
}

function ServiceHead({ service }: { service: ServiceDetail }) {
  const { text, tone } = healthWord[service.health.state]
  return (
    <header className="service-head">
      <Avatar name={service.displayName} large />
      <div className="service-title">
        <h1>
          {service.displayName}
          {service.instanceId !== null && <Badge tone="good">connected</Badge>}
          <Badge tone={tone}>{text}</Badge>
        </h1>
        <p className="service-lead">{service.description}</p>
        <p className="service-facts muted small">
          <a {...linkTo({ page: 'services' })}>all services</a>
          <span>{categoryWord(service.category)}</span>
          <span>{authWord[service.auth]}</span>
          <span>
            {plural(service.listedTools, 'tool')}, {plural(service.operations, 'operation')}
          </span>
          <span>port {service.port}</span>
          <a href={service.docsUrl} target="_blank" rel="noreferrer">
            documentation ↗
          </a>
        </p>
        {service.health.message && service.health.state !== 'healthy' && (
          <p className="text-bad small">{service.health.message}</p>
        )}
      </div>
    </header>
  )
}

function Tabs({ serviceType, tab }: { serviceType: string; tab: ServiceTab }) {
  return (
    <nav className="tabs tabs-plain" aria-label="Parts of the service">
      {serviceTabs.map((one) => (
        <a
          key={one}
          className={one === tab ? 'tab tab-on' : 'tab'}
          aria-current={one === tab ? 'page' : undefined}
          {...linkTo({ page: 'service', serviceType, tab: one })}
        >
          {tabWords[one]}
        </a>
      ))}
    </nav>
  )
}

/** Before one connects: what one would get. */
function WhatItGives({ service }: { service: ServiceDetail }): ReactNode {
  const rest = service.operations - service.tools.length
  if (service.operations === 0) return <NoOperations service={service} />
  return (
    <Card title="Its tools" aside={rest > 0 && `${plural(rest, 'more operation')} by search`} flush>
      <ul className="tool-list">
        {service.tools.map((tool) => (
          <li key={tool.name} className="tool-line">
            <code>{tool.name}</code>
            {tool.destructive && <Badge tone="warn">destroys</Badge>}
            <span className="muted small clamp">{tool.description}</span>
          </li>
        ))}
      </ul>
    </Card>
  )
}

function NoService({ error }: { error: unknown }) {
  return (
    <>
      <Trouble error={error} />
      <Empty title="This service can’t be shown" isPage>
        <p>
          <a {...linkTo({ page: 'services' })}>All services</a>
        </p>
      </Empty>
    </>
  )
}

/** After the way through a consent page: the first token of a new instance, or the code of what went wrong. */
function useReturn(path: string, isConnected: boolean, onMinted: (token: MintedToken) => void): string | null {
  const [told] = useState(() => new URLSearchParams(location.search))
  const begun = useRef(false)
  const wantsToken = told.get('token') === 'new'
  useEffect(() => {
    if (told.size > 0) history.replaceState(null, '', location.pathname)
  }, [told])
  useEffect(() => {
    if (!wantsToken || !isConnected || begun.current) return
    begun.current = true
    const first = async () => {
      const { tokens } = await call<{ tokens: readonly unknown[] }>(`${path}/instance/tokens`)
      // A link to this page must not make tokens for who is connected already.
      if (tokens.length === 0) onMinted(await write<MintedToken>('POST', `${path}/instance/tokens`, {}))
    }
    // Without it the page still stands, and has a button that makes a token.
    first().catch(() => {})
  }, [wantsToken, isConnected, path, onMinted])
  return told.get('failed')
}
