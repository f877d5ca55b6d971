// `npm test [-- PATH …] [--name PATTERN] [--pure | --pg] [--long] [--slowest COUNT]`: finds the tests, sets up what they need, runs them.
//
// Pure tests share one process, which is many times faster than a process each. Tests on a real database get a
// process each, three at a time, so that a killed server or a leaked connection stays with the test that caused it.
// Both kinds run beside each other.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from 'node:test'
import { parseArgs } from 'node:util'
import { newSeed, replayVariable, runVariable } from '@crossfade/model/testing/test-seed.ts'
import { ensureCatalogBuilt } from '../build/catalog.ts'
import { ensureConsoleBuilt } from '../build/console.ts'
import { knownPrograms, type ProgramName, setUpPrograms } from '../setup/debian-packages.ts'
import { projectRoot, sourceFiles } from '../source-files.ts'
import { Report, type RunEvent } from './report.ts'
import { selectTests } from './select.ts'
import { runInSharedProcess } from './shared-process.ts'

/** For one file of database tests, and for any single test. */
const fileTimeoutMs = 600_000
/** Each database test file runs a few PostgreSQL servers beside it. */
const databaseConcurrency = 3

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    name: { type: 'string' },
    pure: { type: 'boolean' },
    pg: { type: 'boolean' },
    long: { type: 'boolean' },
    slowest: { type: 'string' },
  },
})

const selected = selectTests(sourceFiles(), positionals)
const pure = values.pg ? [] : selected.pure
const database = values.pure ? [] : selected.database

setUpPrograms(programsNeededBy([...pure, ...database]))
const consoleBuilt = buildConsole()
if ([...pure, ...database].some((path) => /^(apps|packages\/(catalog|mcp|gateway))/.test(path))) ensureCatalogBuilt()

// Loading is a large part of what a short test does: what one process has compiled, the others need not.
process.env['NODE_COMPILE_CACHE'] ??= join(projectRoot, 'node_modules', '.cache', 'crossfade', 'compiled')

// Drawn here, so that it is known whatever becomes of a test and its process, and told in the last lines.
const seed = Number(process.env[replayVariable] ?? newSeed())
process.env[runVariable] = String(seed)
if (values.long) process.env['CROSSFADE_LONG'] = '1'

const report = new Report()
await Promise.all([pure.length > 0 && report.follow(runPure()), database.length > 0 && report.follow(runDatabase())])
await report.close(
  { pure: pure.length, database: database.length },
  { root: projectRoot, seed, slowest: Number(values.slowest ?? 0) },
)
if (!consoleBuilt) process.stdout.write('crossfade tests: FAILED: the console does not build, see above\n')
process.exitCode = report.succeeded && consoleBuilt ? 0 : 1

/** One process, busy all the time. */
function runPure(): AsyncIterable<RunEvent> {
  return runInSharedProcess(absolute(pure), { cwd: projectRoot, timeoutMs: fileTimeoutMs, name: values.name })
}

/** A process for each file, several at a time: they wait for their servers more than they compute. */
function runDatabase(): AsyncIterable<RunEvent> {
  return run({
    cwd: projectRoot,
    files: absolute(database),
    isolation: 'process',
    concurrency: databaseConcurrency,
    timeout: fileTimeoutMs,
    execArgv: ['--disable-warning=ExperimentalWarning', '--test-force-exit'],
    ...(values.name === undefined ? {} : { testNamePatterns: [values.name] }),
  }) as AsyncIterable<RunEvent>
}

/** Built for whoever tests an app; the other tests go on when it fails, and the run fails in the end. */
function buildConsole(): boolean {
  if (![...pure, ...database].some((path) => path.startsWith('apps/'))) return true
  try {
    ensureConsoleBuilt()
    return true
  } catch (error) {
    process.stderr.write(`crossfade: ${error instanceof Error ? error.message : String(error)}\n`)
    return false
  }
}

function absolute(paths: readonly string[]): string[] {
  return paths.map((path) => join(projectRoot, path))
}

/** A test says what it needs by calling `findOrInstall('name')`. */
function programsNeededBy(paths: readonly string[]): ProgramName[] {
  const texts = paths.map((path) => readFileSync(join(projectRoot, path), 'utf8'))
  const names = Object.keys(knownPrograms) as ProgramName[]
  return names.filter((name) => texts.some((text) => text.includes(`findOrInstall('${name}')`)))
}
