import { Component, type ReactNode, type RefObject, useEffect, useRef, useState } from 'react'
import { ApiError, refusedEvent, storedToken, storeToken, unreachable } from './api/client.ts'
import { MigrationPage } from './pages/migration.tsx'
import { MigrationsPage } from './pages/migrations.tsx'
import { SignInPage } from './pages/sign-in.tsx'
import { UnknownPage } from './pages/unknown.tsx'
import { WorkersPage } from './pages/workers.tsx'
import { Loading, Trouble } from './parts/basics.tsx'
import { goTo, goToPath, linkTo, type PlainPage, pathOf, type Route, useRoute } from './router.ts'
import { ServicesPages } from './services/pages.tsx'
import { signInPath } from './services/return-path.ts'
import { type Area, type ServerState, useServer } from './state/server.tsx'
import { SessionProvider, useSession } from './state/session.tsx'
import { ToastProvider } from './state/toasts.tsx'

/** The frame around every page. Which pages there are is what the server says it serves. */
export function App() {
  const route = useRoute()
  const [token, setToken] = useState(storedToken)
  const { server, silent } = useServer(token)
  if (server === null) {
    return (
      <Frame route={route} areas={[]} session={null}>
        {silent ? <Trouble error={new ApiError(0, unreachable)} /> : <Loading what="the console" />}
      </Frame>
    )
  }
  const isOfServices = server.areas.includes('services') && (areaOf(route) ?? server.areas[0]) === 'services'
  return isOfServices ? (
    <ServicesApp route={route} server={server} />
  ) : (
    <MigrationsApp route={route} areas={server.areas} token={token} setToken={setToken} />
  )
}

function MigrationsApp({
  route,
  areas,
  token,
  setToken,
}: {
  route: Route
  areas: readonly Area[]
  token: string | null
  setToken: (token: string | null) => void
}) {
  // Where a refused request came from, so that the sign-in can lead back there.
  const [from, setFrom] = useState<string | null>(null)
  useEffect(() => {
    const refused = () => {
      if (location.pathname === '/sign-in') return
      setFrom(location.pathname)
      goTo({ page: 'sign-in' })
    }
    addEventListener(refusedEvent, refused)
    return () => removeEventListener(refusedEvent, refused)
  }, [])
  const signIn = (value: string | null) => {
    storeToken(value)
    setToken(value)
  }
  if (route.page === 'sign-in') {
    return (
      <Frame route={route} areas={areas} session={null}>
        <SignInPage from={from} expired={token !== null} onSignedIn={signIn} />
      </Frame>
    )
  }
  const signOut = () => {
    signIn(null)
    goTo({ page: 'sign-in' })
  }
  return (
    <SessionProvider token={token}>
      <ToastProvider>
        <Frame route={route} areas={areas} session={token === null ? null : <SignedIn onSignOut={signOut} />}>
          <Guard key={pathOf(route)}>
            <Page route={route} />
          </Guard>
        </Frame>
      </ToastProvider>
    </SessionProvider>
  )
}

function ServicesApp({ route, server }: { route: Route; server: ServerState }) {
  const { user } = server.services!
  const { reload } = server
  const isEntrance = route.page === 'sign-in' || route.page === 'sign-up'
  // Of a service, another tab is the same page: what it shows once must not go with the tab.
  const page = route.page === 'service' ? `/services/${route.serviceType}` : pathOf(route)
  const here = location.pathname + location.search + location.hash
  useEffect(() => {
    // The session is over: the answer says so, and the sign-in leads back.
    const refused = () => void reload()
    addEventListener(refusedEvent, refused)
    return () => removeEventListener(refusedEvent, refused)
  }, [reload])
  useEffect(() => {
    if (user === null && !isEntrance) goToPath(signInPath(here), 'replace')
  }, [user, isEntrance, here])
  const content = useRef<HTMLElement>(null)
  const shown = useRef(page)
  useEffect(() => {
    if (shown.current !== page) content.current?.focus({ preventScroll: true })
    shown.current = page
  }, [page])
  if (user === null && !isEntrance) return null
  return (
    <ToastProvider>
      <Frame
        route={route}
        areas={user === null ? [] : server.areas}
        session={user && <AccountLink name={user.name || user.email} isOn={route.page === 'account'} />}
        content={content}
      >
        <Guard key={page}>
          <ServicesPages route={route} server={server} />
        </Guard>
      </Frame>
    </ToastProvider>
  )
}

const navigation: Readonly<Record<Area, readonly ('migrations' | 'workers' | PlainPage)[]>> = {
  services: ['services', 'instances', 'imports', 'usage', 'health', 'audit'],
  migrations: ['migrations', 'workers'],
}
const entries: Readonly<Record<Area, Route>> = { services: { page: 'services' }, migrations: { page: 'migrations' } }

/** Null for pages that every area has. */
function areaOf(route: Route): Area | null {
  if (route.page === 'sign-in' || route.page === 'unknown') return null
  if (route.page === 'migrations') return location.pathname === '/' ? null : 'migrations'
  return route.page === 'migration' || route.page === 'workers' ? 'migrations' : 'services'
}

function Frame({
  route,
  areas,
  session,
  content,
  children,
}: {
  route: Route
  areas: readonly Area[]
  session: ReactNode
  content?: RefObject<HTMLElement | null>
  children: ReactNode
}) {
  const isAt = (page: string) => route.page === page || `${route.page}s` === page
  return (
    <>
      <a className="skip" href="#content">
        Skip to content
      </a>
      <header className={areas.includes('services') ? 'bar bar-services' : 'bar'}>
        <a className="brand" {...linkTo(entries[areas[0] ?? 'migrations'])}>
          <svg viewBox="0 0 32 32" width="24" height="24" aria-hidden="true">
            <path d="M4 23C13 23 19 9 28 9" className="brand-new" />
            <path d="M4 9C13 9 19 23 28 23" className="brand-old" />
          </svg>
          <span className="brand-name">Crossfade</span>
        </a>
        <nav aria-label="Main">
          {areas.flatMap((area) =>
            navigation[area].map((page) => (
              <a
                key={page}
                className={isAt(page) ? 'on' : ''}
                aria-current={route.page === page ? 'page' : undefined}
                {...linkTo({ page } as Route)}
              >
                {page}
              </a>
            )),
          )}
        </nav>
        <span className="grow" />
        {session}
        <ThemeSwitch />
      </header>
      <main id="content" tabIndex={-1} ref={content}>
        {children}
      </main>
    </>
  )
}

function AccountLink({ name, isOn }: { name: string; isOn: boolean }) {
  return (
    <a className="account-link" aria-current={isOn ? 'page' : undefined} {...linkTo({ page: 'account' })}>
      <span className="account-initial" aria-hidden="true">
        {name.slice(0, 1).toUpperCase()}
      </span>
      <span className="account-name">{name}</span>
    </a>
  )
}

function SignedIn({ onSignOut }: { onSignOut: () => void }) {
  const session = useSession()
  return (
    <span className="session">
      {session && (
        <span className="muted" title={`Signed in as ${session.name}, ${session.role}`}>
          {session.name} <span className="session-role">{session.role}</span>
        </span>
      )}
      <button type="button" className="link" onClick={onSignOut}>
        Sign out
      </button>
    </span>
  )
}

function ThemeSwitch() {
  const [theme, setTheme] = useState(() => document.documentElement.dataset['theme'] ?? 'light')
  const other = theme === 'dark' ? 'light' : 'dark'
  const toggle = () => {
    document.documentElement.dataset['theme'] = other
    localStorage.setItem('crossfade.theme', other)
    setTheme(other)
  }
  return (
    <button type="button" className="icon-button" onClick={toggle} aria-label={`Switch to ${other} colours`}>
      <svg viewBox="0 0 20 20" width="18" height="18" aria-hidden="true">
        {theme === 'dark' ? (
          <path d="M10 6a4 4 0 1 0 0 8 4 4 0 0 0 0-8M10 1.5v2M10 16.5v2M1.5 10h2M16.5 10h2M4 4l1.4 1.4M14.6 14.6 16 16M4 16l1.4-1.4M14.6 5.4 16 4" />
        ) : (
          <path d="M16.5 12.2A7 7 0 0 1 7.8 3.5a7 7 0 1 0 8.7 8.7Z" />
        )}
      </svg>
    </button>
  )
}

/** A page that breaks says so, and leaves the frame and the other pages whole. */
class Guard extends Component<{ children: ReactNode }, { error: unknown }> {
  override state: { error: unknown } = { error: null }

  static getDerivedStateFromError(error: unknown) {
    return { error }
  }

  override render() {
    return this.state.error === null ? this.props.children : <Trouble error={this.state.error} />
  }
}

function Page({ route }: { route: Route }) {
  switch (route.page) {
    case 'migrations':
      return <MigrationsPage />
    case 'migration':
      return <MigrationPage key={route.id} id={route.id} tab={route.tab} />
    case 'workers':
      return <WorkersPage />
    default:
      return <UnknownPage path={pathOf(route)} home={{ page: 'migrations' }} />
  }
}
