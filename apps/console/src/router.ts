import { type MouseEvent, useEffect, useState } from 'react'

export type Route =
  | { readonly page: 'migrations' }
  | { readonly page: 'migration'; readonly id: string; readonly tab: Tab }
  | { readonly page: 'workers' }
  | { readonly page: 'sign-in' }
  | { readonly page: 'unknown'; readonly path: string }

export const tabs = ['overview', 'copy', 'streams', 'verification', 'journal', 'plan'] as const
export type Tab = (typeof tabs)[number]

/** The route of a path; `unknown` for one that leads nowhere. */
export function parseRoute(path: string): Route {
  const parts = path.split('/').filter(Boolean)
  if (parts.length === 0 || (parts.length === 1 && parts[0] === 'migrations')) return { page: 'migrations' }
  if (parts[0] === 'workers' && parts.length === 1) return { page: 'workers' }
  if (parts[0] === 'sign-in' && parts.length === 1) return { page: 'sign-in' }
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
    case 'unknown':
      return route.path
  }
}

/** Leads to a page, as a link would. */
export function goTo(route: Route): void {
  goToPath(pathOf(route))
}

/** Leads to a path, as a link would. */
export function goToPath(path: string): void {
  history.pushState(null, '', path)
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
