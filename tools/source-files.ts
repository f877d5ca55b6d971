// The project's own files: what the checks look at and where the tests are found.
import { readdirSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'

export const projectRoot = resolve(import.meta.dirname, '..')

const notOurs = new Set(['node_modules', 'dist', '.git', '.crossfade', 'coverage', 'generated'])

/** Every file of the project below `directory`, as sorted paths relative to `root`; dependencies and builds excluded. */
export function sourceFiles(root = projectRoot, directory = root): string[] {
  const found: string[] = []
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (notOurs.has(entry.name) || entry.name.endsWith('.partial')) continue
    const path = join(directory, entry.name)
    if (entry.isDirectory()) found.push(...sourceFiles(root, path))
    else if (entry.isFile()) found.push(relative(root, path))
  }
  return found.sort()
}

/** Whether a path is a TypeScript source, the console's included. */
export function isTypeScript(path: string): boolean {
  return path.endsWith('.ts') || path.endsWith('.tsx')
}
