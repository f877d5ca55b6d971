import { type MouseEvent, useEffect, useState } from 'react'

export type Route =
  | { readonly page: 'migrations' }
  | { readonly page: 'migration'; readonly id: string; readonly tab: Tab }
  | { readonly page: 'workers' }
  | { readonly page: 'sign-in' }
  | { readonly page: 'service'; readonly serviceType: string; readonly tab: ServiceTab }
  | { readonly page: PlainPage }
  | { readonly page: 'unknown'; readonly path: string }

export const tabs = ['overview', 'copy', 'streams', 'verification', 'journal', 'plan'] as const
export type Tab = (typeof tabs)[number]

export const serviceTabs = ['connection', 'try', 'tools', 'usage'] as const
export type ServiceTab = (typeof serviceTabs)[number]

/** Pages of the services whose path is their name. */
const plainPages = ['services', 'instances', 'imports', 'usage', 'health', 'audit', 'account', 'sign-up'] as const
export type PlainPage = (typeof plainPages)[number]

/** The route of a path; `unknown` for one that leads nowhere. */
export function parseRoute(path: string): Route {
  const parts = path.split('/').filter(Boolean)
  if (parts.length === 0 || (parts.length === 1 && parts[0] === 'migrations')) return { page: 'migrations' }
  if (parts[0] === 'workers' && parts.length === 1) return { page: 'workers' }
  if (parts[0] === 'sign-in' && parts.length === 1) return { page: 'sign-in' }
  const plain = plainPages.find((page) => page === parts[0])
  if (plain && parts.length === 1) return { page: plain }
  if (parts[0] === 'services' && parts.length <= 3) {
    const tab = (parts[2] ?? 'connection') as ServiceTab
    if (serviceTabs.includes(tab)) return { page: 'service', serviceType: parts[1]!, tab }
  }
  if (parts[0] === 'migrations' && parts.length <= 3) {
    const tab = (parts[2] ?? 'overview') as Tab
    if (tabs.includes(tab)) return { page: 'migration', id: parts[1]!, tab }
  }
  return { page: 'unknown', path }
}

/** The path of a route. */
export function pathOf(route: Route): string {
  switch (route.page) {
    case 'migrations':
      return '/'
    case 'migration':
      return `/migrations/${route.id}${route.tab === 'overview' ? '' : `/${route.tab}`}`
    case 'workers':
      return '/workers'
    case 'sign-in':
      return '/sign-in'
    case 'service':
      return `/services/${route.serviceType}${route.tab === 'connection' ? '' : `/${route.tab}`}`
    case 'unknown':
      return route.path
    default:
      return `/${route.page}`
  }
}

/** Leads to a page, as a link would. */
export function goTo(route: Route): void {
  goToPath(pathOf(route))
}

/** Leads to a path, as a link would; `replace` leaves no way back to where one was. */
export function goToPath(path: string, how: 'push' | 'replace' = 'push'): void {
  if (how === 'push') history.pushState(null, '', path)
  else history.replaceState(null, '', path)
  scrollTo(0, 0)
  dispatchEvent(new PopStateEvent('popstate'))
}

/** Properties of a link that the page itself follows, unless the person asked for a new tab. */
export function linkTo(route: Route): { href: string; onClick: (event: MouseEvent) => void } {
  return {
    href: pathOf(route),
    onClick: (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return
      event.preventDefault()
      goTo(route)
    },
  }
}

/** The route of the address, now and whenever it changes. */
export function useRoute(): Route {
  const [route, setRoute] = useState(() => parseRoute(location.pathname))
  useEffect(() => {
    const read = () => setRoute(parseRoute(location.pathname))
    addEventListener('popstate', read)
    return () => removeEventListener('popstate', read)
  }, [])
  return route
}
