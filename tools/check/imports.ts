// Import directions: which package may import which, no import that leaves its package by a relative path, no barrels,
// no dependency that is not declared, no cycle of files (types are erased and may point back).
import { existsSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { isTypeScript } from '../source-files.ts'
import type { CheckFinding } from './finding.ts'
import { isAllowed, isTestFile } from './import-rules.ts'
import { type ImportOf, readModules, type SourceModule } from './modules.ts'

/** Names of our workspaces and their folders, such as `@crossfade/model` → `packages/model`. */
type Workspaces = ReadonlyMap<string, string>

interface Manifest {
  name?: string
  dependencies?: Record<string, string>
  devDependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
}

/** Checks the imports of the project at `root`. `files` are paths relative to it. */
export function checkImports(root: string, files: readonly string[]): CheckFinding[] {
  const modules = readModules(root, files.filter(isTypeScript))
  const manifests = new Map(
    files
      .filter((path) => posix.basename(path) === 'package.json')
      .map((path) => [posix.dirname(path), readManifest(root, path)]),
  )
  const workspaces: Workspaces = new Map(
    [...manifests].flatMap(([folder, { name }]) => (name === undefined || folder === '.' ? [] : [[name, folder]])),
  )
  const findings = modules.flatMap((module) =>
    module.imports.flatMap((found) => {
      const reason =
        barrel(found) ??
        direction(module.path, found, workspaces) ??
        undeclared(module.path, found, manifests, workspaces)
      return reason === undefined ? [] : [{ place: `${module.path}:${found.line}`, reason }]
    }),
  )
  return [...findings, ...missingFiles(root, modules, workspaces), ...cycles(modules, workspaces)]
}

/** The workspace a file belongs to: `packages/model`, `apps/cli`, `tools`. */
export function unitOf(path: string): string {
  const [first = '', second = ''] = path.split('/')
  return first === 'packages' || first === 'apps' ? `${first}/${second}` : first
}

function barrel(found: ImportOf): string | undefined {
  return found.star ? `export * from '${found.specifier}' drags a module in whole; export names` : undefined
}

function direction(path: string, found: ImportOf, workspaces: Workspaces): string | undefined {
  const from = unitOf(path)
  const target = resolveOurs(path, found.specifier, workspaces)
  if (target === undefined) return undefined
  const to = unitOf(target)
  if (found.specifier.startsWith('.') && to !== from) {
    return `${found.specifier} leaves ${from}; import it by its package name`
  }
  const how = { inTest: isTestFile(path), typeOnly: found.typeOnly }
  return isAllowed(from, to, how) ? undefined : `${from} must not import ${to}`
}

function undeclared(
  path: string,
  found: ImportOf,
  manifests: ReadonlyMap<string, Manifest>,
  workspaces: Workspaces,
): string | undefined {
  const name = packageName(found.specifier)
  // Our own packages are governed by the table of directions.
  if (name === undefined || workspaces.has(name)) return undefined
  // Tests and tools may use whatever is installed for some package.
  const anything = isTestFile(path) || unitOf(path) === 'tools'
  const declaring = anything ? [...manifests.values()] : [manifests.get(unitOf(path)) ?? {}]
  const isDeclared = declaring.some(
    (manifest) => name in { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies },
  )
  if (isDeclared) return undefined
  return `${name} is not among the dependencies of ${unitOf(path)}/package.json`
}

function missingFiles(root: string, modules: readonly SourceModule[], workspaces: Workspaces): CheckFinding[] {
  return modules.flatMap((module) =>
    module.imports.flatMap((found) => {
      const target = resolveOurs(module.path, found.specifier, workspaces)
      if (target === undefined || existsSync(join(root, target))) return []
      return [{ place: `${module.path}:${found.line}`, reason: `${found.specifier} does not exist` }]
    }),
  )
}

/** The path of an imported file of ours, undefined for everything else. */
function resolveOurs(path: string, specifier: string, workspaces: Workspaces): string | undefined {
  if (specifier.startsWith('.')) return posix.normalize(posix.join(posix.dirname(path), specifier))
  const name = packageName(specifier)
  const folder = name === undefined ? undefined : workspaces.get(name)
  if (name === undefined || folder === undefined) return undefined
  return posix.join(folder, specifier.slice(name.length + 1))
}

/** `@scope/name/deep.ts` → `@scope/name`; undefined for relative paths and what node brings. */
function packageName(specifier: string): string | undefined {
  if (specifier.startsWith('.') || specifier.startsWith('node:')) return undefined
  const parts = specifier.split('/')
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]
}

/** One finding per cycle of files, found by depth-first search. */
function cycles(modules: readonly SourceModule[], workspaces: Workspaces): CheckFinding[] {
  const edges = new Map(
    modules.map((module) => [
      module.path,
      module.imports.flatMap((found) =>
        found.typeOnly ? [] : (resolveOurs(module.path, found.specifier, workspaces) ?? []),
      ),
    ]),
  )
  const done = new Set<string>()
  const findings: CheckFinding[] = []
  for (const { path } of modules) visit(path, [])
  return findings

  function visit(path: string, trail: readonly string[]): void {
    const start = trail.indexOf(path)
    if (start >= 0) {
      findings.push({ place: path, reason: `a cycle of imports: ${[...trail.slice(start), path].join(' → ')}` })
      return
    }
    if (done.has(path)) return
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path])
    done.add(path)
  }
}

function readManifest(root: string, path: string): Manifest {
  return JSON.parse(readFileSync(join(root, path), 'utf8')) as Manifest
}
