// `npm run check [-- NAME …] [--strict]`: everything that must hold besides the tests. Runs all checks, or those named,
// says what each found, and exits 1 when one fails. With --strict a requirement without a test is a failure too.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { checkCatalog } from '@crossfade/catalog/check.ts'
import { projectRoot, sourceFiles } from '../source-files.ts'
import { checkFileLengths, checkMachinePaths, checkNames } from './files.ts'
import type { CheckFinding } from './finding.ts'
import { checkGenerated } from './generated.ts'
import { checkImports } from './imports.ts'
import { uncitedInProject } from './requirements.ts'

/** For one program that a check runs. */
const programTimeoutMs = 300_000
/** Of one program. */
const outputBytesMax = 16 * 1024 * 1024

const { values, positionals } = parseArgs({ allowPositionals: true, options: { strict: { type: 'boolean' } } })
const files = sourceFiles()

/** Each check says whether it passed, and prints what it found. */
const checks: Record<string, () => boolean | Promise<boolean>> = {
  // Format, lint rules and the order of imports in one pass.
  format: () => program('biome', ['ci', '--colors=off', '--max-diagnostics=60', '--error-on-warnings', '.']),
  lint: () => program('oxlint', ['--type-aware', '--deny-warnings']),
  types: () => program('tsc', ['-p', '.', '--noEmit']) && consoleTypes(),
  imports: () => report(checkImports(projectRoot, files)),
  lengths: () => report(checkFileLengths(projectRoot, files)),
  names: () => report(checkNames(files)),
  paths: () => report(checkMachinePaths(projectRoot, files)),
  catalog: async () => report(await catalogProblems()),
  generated: async () => report(await checkGenerated(projectRoot)),
  requirements: () => coverage(values.strict === true),
}

const wanted = positionals.length > 0 ? positionals : Object.keys(checks)
const failed: string[] = []
for (const name of wanted) {
  const check = checks[name]
  if (!check) throw new Error(`there is no check "${name}"; there are ${Object.keys(checks).join(', ')}`)
  process.stdout.write(`— ${name}\n`)
  if (!(await check())) failed.push(name)
}
process.stdout.write(
  failed.length === 0 ? 'crossfade check: passed\n' : `crossfade check: FAILED: ${failed.join(', ')}\n`,
)
process.exitCode = failed.length === 0 ? 0 : 1

/** What blocks a service: warnings are for its author. */
async function catalogProblems(): Promise<CheckFinding[]> {
  const findings = await checkCatalog()
  return findings
    .filter(({ severity }) => severity === 'block')
    .map(({ subject, message }) => ({ place: subject, reason: message }))
}

/** Runs a program, whose warnings are failures; what it says is shown when it fails. */
function program(name: string, args: string[]): boolean {
  const path = join(projectRoot, 'node_modules', '.bin', name)
  const outcome = spawnSync(path, args, {
    cwd: projectRoot,
    encoding: 'utf8',
    maxBuffer: outputBytesMax,
    timeout: programTimeoutMs,
  })
  if (outcome.status !== 0) process.stdout.write(`${outcome.stdout ?? ''}${outcome.stderr ?? ''}`)
  if (outcome.error) process.stdout.write(`  ${name} did not run: ${outcome.error.message}\n`)
  return outcome.status === 0
}

function consoleTypes(): boolean {
  const console = join('apps', 'console')
  const projects = [join(console, 'tsconfig.json'), join(console, 'tests', 'tsconfig.json')]
  return projects.every(
    (project) => !existsSync(join(projectRoot, project)) || program('tsc', ['-p', project, '--noEmit']),
  )
}

function report(findings: readonly CheckFinding[]): boolean {
  for (const { place, reason } of findings) process.stdout.write(`  ${place}: ${reason}\n`)
  return findings.length === 0
}

function coverage(strict: boolean): boolean {
  const missing = uncitedInProject(projectRoot, files)
  for (const { id, text } of missing) process.stdout.write(`  ${id} is cited by no test: ${text}\n`)
  return missing.length === 0 || !strict
}
