import { useEffect } from 'react'
import { UnknownPage } from '../pages/unknown.tsx'
import { goToPath, pathOf, type Route } from '../router.ts'
import type { ServerState } from '../state/server.tsx'
import { AccountPage } from './pages/account.tsx'
import { AuditPage } from './pages/audit.tsx'
import { CatalogPage } from './pages/catalog.tsx'
import { HealthPage } from './pages/health.tsx'
import { ImportsPage } from './pages/imports.tsx'
import { InstancesPage } from './pages/instances.tsx'
import { ServicePage } from './pages/service.tsx'
import { EntrancePage } from './pages/sign-in.tsx'
import { UsagePage } from './pages/usage.tsx'

/** The page of a route, for the area of the services. */
export function ServicesPages({ route, server }: { route: Route; server: ServerState }) {
  switch (route.page) {
    case 'migrations':
      return <Home />
    case 'sign-in':
    case 'sign-up':
      return <EntrancePage key={route.page} kind={route.page} server={server} />
    case 'services':
      return <CatalogPage />
    case 'service':
      return <ServicePage serviceType={route.serviceType} tab={route.tab} />
    case 'instances':
      return <InstancesPage />
    case 'imports':
      return <ImportsPage isAdmin={server.services?.user?.role === 'admin'} />
    case 'usage':
      return <UsagePage />
    case 'audit':
      return <AuditPage />
    case 'health':
      return <HealthPage />
    case 'account':
      return <AccountPage server={server} />
    default:
      return <UnknownPage path={pathOf(route)} home={{ page: 'services' }} />
  }
}

/** The first page is the list of services. */
function Home() {
  useEffect(() => goToPath('/services', 'replace'), [])
  return null
}
