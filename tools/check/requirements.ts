// Which requirements and regressions no test cites. A test cites one by writing its id, as `D08` or `DM-03`.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Requirement, requirements } from '@crossfade/model/requirements.ts'

/** Where ids count as cited: tests, and the directories of scenarios that tests run. */
export function mayCite(path: string): boolean {
  return /\.test\.tsx?$/.test(path) || path.startsWith('scenarios/')
}

/** The requirements of `all` in scope whose id no text contains. */
export function uncited(all: readonly Requirement[], texts: Iterable<string>): Requirement[] {
  const cited = new Set<string>()
  for (const text of texts) for (const [id] of text.matchAll(/\b(?:(?:SI|ST|DM|MS)-\d\d|[DMT]\d\d)\b/g)) cited.add(id)
  return all.filter(({ id, scope }) => scope === 'now' && !cited.has(id))
}

/** The requirements of the project in scope that none of its tests cites, by name of file or by text. */
export function uncitedInProject(root: string, files: readonly string[]): Requirement[] {
  const citing = files.filter(mayCite)
  return uncited(requirements, [
    ...citing,
    ...citing.filter(isText).map((path) => readFileSync(join(root, path), 'utf8')),
  ])
}

function isText(path: string): boolean {
  return /\.(ts|tsx|md|json|sql|ya?ml)$/.test(path)
}
