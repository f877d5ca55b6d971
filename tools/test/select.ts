// Which files are tests, and of which kind.

export interface Selection {
  /** Fast, independent of each other and of any database. */
  pure: string[]
  /** On real servers, browsers or processes. */
  database: string[]
}

/** Splits the project's test files by kind, keeping those below (or containing) one of the filters, if any are given. */
export function selectTests(files: readonly string[], filters: readonly string[]): Selection {
  const wanted = files.filter(
    (path) => path.endsWith('.test.ts') && (filters.length === 0 || filters.some((filter) => matches(path, filter))),
  )
  return {
    pure: wanted.filter((path) => !isDatabaseTest(path)),
    database: wanted.filter(isDatabaseTest),
  }
}

/** `.pg.test.ts` needs PostgreSQL, `.browser.test.ts` Chromium; both get a process of their own. */
function isDatabaseTest(path: string): boolean {
  return path.endsWith('.pg.test.ts') || path.endsWith('.browser.test.ts')
}

function matches(path: string, filter: string): boolean {
  return path.includes(filter.replace(/^\.\//, '').replace(/\/$/, ''))
}
