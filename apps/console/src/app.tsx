import { Component, type ReactNode, useEffect, useState } from 'react'
import { ApiError, storedToken, storeToken } from './api/client.ts'
import type { MigrationSummary } from './api/contract.ts'
import { MigrationPage } from './pages/migration.tsx'
import { MigrationsPage } from './pages/migrations.tsx'
import { SignInPage } from './pages/sign-in.tsx'
import { WorkersPage } from './pages/workers.tsx'
import { Empty, Trouble } from './parts/basics.tsx'
import { goTo, linkTo, pathOf, type Route, useRoute } from './router.ts'
import { useData } from './state/use-data.ts'

/** The frame around every page. */
export function App() {
  const route = useRoute()
  const [theme, setTheme] = useState(() => document.documentElement.dataset['theme'] ?? 'light')
  // Asked once per page, so that a missing token leads to the sign-in instead of an error on every page.
  const { error } = useData<readonly MigrationSummary[]>('/migrations', route.page)
  const refused = error instanceof ApiError && error.status === 401
  useEffect(() => {
    if (refused && route.page !== 'sign-in') goTo({ page: 'sign-in' })
  }, [refused, route.page])
  const toggle = () => {
    const next = theme === 'dark' ? 'light' : 'dark'
    document.documentElement.dataset['theme'] = next
    localStorage.setItem('crossfade.theme', next)
    setTheme(next)
  }
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
          Crossfade
        </a>
        <nav aria-label="Main">
          <a
            className={route.page === 'migrations' || route.page === 'migration' ? 'on' : ''}
            {...linkTo({ page: 'migrations' })}
          >
            Migrations
          </a>
          <a className={route.page === 'workers' ? 'on' : ''} {...linkTo({ page: 'workers' })}>
            Workers
          </a>
        </nav>
        <span className="grow" />
        {storedToken() !== null && (
          <button
            type="button"
            className="link"
            onClick={() => {
              storeToken(null)
              goTo({ page: 'sign-in' })
            }}
          >
            Sign out
          </button>
        )}
        <button
          type="button"
          className="icon-button"
          onClick={toggle}
          aria-label={`Switch to ${theme === 'dark' ? 'light' : 'dark'} colours`}
        >
          {theme === 'dark' ? '☀' : '☾'}
        </button>
      </header>
      <main id="content">
        <Guard key={pathOf(route)}>
          <Page route={route} />
        </Guard>
      </main>
    </>
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
    case 'sign-in':
      return <SignInPage />
    case 'unknown':
      return (
        <Empty title="There is no such page">
          <p>
            <code>{route.path}</code> leads nowhere. <a {...linkTo({ page: 'migrations' })}>All migrations</a>
          </p>
        </Empty>
      )
  }
}
