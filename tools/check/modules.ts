// Reads which modules every source file imports.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseSync } from 'oxc-parser'

export interface ImportOf {
  /** As written: `./a.ts`, `@crossfade/model/lsn.ts`, `node:fs`, `pg`. */
  specifier: string
  line: number
  /** Types alone: erased before anything runs. */
  typeOnly: boolean
  /** `export * from`. */
  star: boolean
}

export interface SourceModule {
  /** Relative to the root. */
  path: string
  imports: ImportOf[]
}

/** Parses the files. A file that does not parse throws, with its path. */
export function readModules(root: string, paths: readonly string[]): SourceModule[] {
  return paths.map((path) => ({ path, imports: importsOf(path, readFileSync(join(root, path), 'utf8')) }))
}

/** Every static, dynamic (with a literal) and re-exporting import of a source text, types included. */
export function importsOf(path: string, text: string): ImportOf[] {
  const parsed = parseSync(path, text)
  const [problem] = parsed.errors
  if (problem) throw new Error(`${path}: ${problem.message}`)
  const imports: ImportOf[] = []
  for (const found of parsed.module.staticImports) {
    const typeOnly =
      isTypeStatement(found.start) || (found.entries.length > 0 && found.entries.every(({ isType }) => isType))
    imports.push({ ...importAt(found.moduleRequest.value, found.start), typeOnly })
  }
  for (const found of parsed.module.staticExports) {
    const [request] = found.entries.flatMap((entry) => (entry.moduleRequest === null ? [] : [entry.moduleRequest]))
    if (!request) continue
    const star = found.entries.some((entry) => entry.importName.kind.startsWith('All'))
    const typeOnly = found.entries.every(({ isType }) => isType)
    imports.push({ ...importAt(request.value, found.start), typeOnly, star })
  }
  for (const found of parsed.module.dynamicImports) {
    const literal = /^['"](.+)['"]$/.exec(text.slice(found.moduleRequest.start, found.moduleRequest.end))
    if (literal) imports.push(importAt(literal[1]!, found.start))
  }
  return imports

  function importAt(specifier: string, offset: number): ImportOf {
    return { specifier, line: text.slice(0, offset).split('\n').length, typeOnly: false, star: false }
  }

  function isTypeStatement(offset: number): boolean {
    return /^import\s+type\b/.test(text.slice(offset, offset + 20))
  }
}
