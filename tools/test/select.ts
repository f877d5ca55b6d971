// Which files are tests, and of which kind.

export interface Selection {
  /** Fast, independent of each other and of any database. */
  pure: string[]
  /** On real servers, browsers or processes; those that take long come first. */
  database: string[]
}

/** Splits the project's test files by kind, keeping those below (or containing) one of the filters, if any are given. */
export function selectTests(files: readonly string[], filters: readonly string[]): Selection {
  const wanted = files.filter(
    (path) => path.endsWith('.test.ts') && (filters.length === 0 || filters.some((filter) => matches(path, filter))),
  )
  return {
    pure: wanted.filter((path) => !isDatabaseTest(path)),
    database: longFirst(wanted.filter(isDatabaseTest)),
  }
}

/** Whole migrations and browsers take the longest: a long file that began last would have the processors to itself. */
function longFirst(paths: readonly string[]): string[] {
  const isLong = (path: string) => path.startsWith('scenarios/') || path.endsWith('.browser.test.ts')
  return [...paths.filter(isLong), ...paths.filter((path) => !isLong(path))]
}

/** `.pg.test.ts` needs PostgreSQL, `.browser.test.ts` Chromium; both get a process of their own. */
function isDatabaseTest(path: string): boolean {
  return path.endsWith('.pg.test.ts') || path.endsWith('.browser.test.ts')
}

function matches(path: string, filter: string): boolean {
  return path.includes(filter.replace(/^\.\//, '').replace(/\/$/, ''))
}
