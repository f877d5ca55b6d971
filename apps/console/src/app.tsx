import { Component, type ReactNode, useEffect, useState } from 'react'
import { refusedEvent, storedToken, storeToken } from './api/client.ts'
import { MigrationPage } from './pages/migration.tsx'
import { MigrationsPage } from './pages/migrations.tsx'
import { SignInPage } from './pages/sign-in.tsx'
import { WorkersPage } from './pages/workers.tsx'
import { Empty, Trouble } from './parts/basics.tsx'
import { goTo, linkTo, pathOf, type Route, useRoute } from './router.ts'
import { SessionProvider, useSession } from './state/session.tsx'
import { ToastProvider } from './state/toasts.tsx'
import { useTitle } from './state/use-title.ts'

/** The frame around every page. */
export function App() {
  const route = useRoute()
  const [token, setToken] = useState(storedToken)
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
      <Frame route={route} session={null}>
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
        <Frame route={route} session={token === null ? null : <SignedIn onSignOut={signOut} />}>
          <Guard key={pathOf(route)}>
            <Page route={route} />
          </Guard>
        </Frame>
      </ToastProvider>
    </SessionProvider>
  )
}

function Frame({ route, session, children }: { route: Route; session: ReactNode; children: ReactNode }) {
  const isAt = (page: 'migrations' | 'workers') =>
    route.page === page || (page === 'migrations' && route.page === 'migration')
  return (
    <>
      <a className="skip" href="#content">
        Skip to content
      </a>
      <header className="bar">
        <a className="brand" {...linkTo({ page: 'migrations' })}>
          <svg viewBox="0 0 32 32" width="24" height="24" aria-hidden="true">
            <path d="M4 23C13 23 19 9 28 9" className="brand-new" />
            <path d="M4 9C13 9 19 23 28 23" className="brand-old" />
          </svg>
          <span className="brand-name">Crossfade</span>
        </a>
        <nav aria-label="Main">
          {(['migrations', 'workers'] as const).map((page) => (
            <a
              key={page}
              className={isAt(page) ? 'on' : ''}
              aria-current={route.page === page ? 'page' : undefined}
              {...linkTo({ page })}
            >
              {page}
            </a>
          ))}
        </nav>
        <span className="grow" />
        {session}
        <ThemeSwitch />
      </header>
      <main id="content" tabIndex={-1}>
        {children}
      </main>
    </>
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

function Page({ route }: { route: Exclude<Route, { page: 'sign-in' }> }) {
  switch (route.page) {
    case 'migrations':
      return <MigrationsPage />
    case 'migration':
      return <MigrationPage key={route.id} id={route.id} tab={route.tab} />
    case 'workers':
      return <WorkersPage />
    case 'unknown':
      return <UnknownPage path={route.path} />
  }
}

function UnknownPage({ path }: { path: string }) {
  useTitle('No such page')
  return (
    <Empty title="There is no such page">
      <p>
        <code>{path}</code> leads nowhere. <a {...linkTo({ page: 'migrations' })}>All migrations</a>
      </p>
    </Empty>
  )
}
