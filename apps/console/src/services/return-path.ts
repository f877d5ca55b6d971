/** Where people go who have not been anywhere. */
const startPage = '/services'

/** `asked` if it is a path of this origin that leads somewhere else than to signing in, else the start page: nobody is sent to another's page. */
export function safeReturn(asked: string | null, origin: string): string {
  if (asked === null || !asked.startsWith('/') || !URL.canParse(asked, origin)) return startPage
  const url = new URL(asked, origin)
  // Browsers read `//host`, `/\host` and `/<tab>/host` as another host; the parser does so too.
  if (url.origin !== origin || url.pathname.startsWith('//')) return startPage
  if (['/', '/sign-in', '/sign-up'].includes(url.pathname)) return startPage
  return url.pathname + url.search + url.hash
}

/** The sign-in that leads back to `path`. */
export function signInPath(path: string): string {
  return path === '/' ? '/sign-in' : `/sign-in?return=${encodeURIComponent(path)}`
}

/** Whether the server, not the console, answers at this path. */
export function isServersPath(path: string): boolean {
  return path.startsWith('/api/')
}
