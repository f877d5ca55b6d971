// Runs test files together in one process of node's test runner and yields its events.
import { spawn } from 'node:child_process'
import { on, once } from 'node:events'
import { join } from 'node:path'
import type { RunEvent } from './report.ts'

export interface SharedProcessOptions {
  cwd: string
  timeoutMs: number
  name?: string | undefined
}

/**
 * The process is ended once the last test has, so that a handle which a test left open does not hold the run. When it
 * ends before that (a test that calls process.exit, a crash) the events end with a failure that says so.
 */
export async function* runInSharedProcess(
  files: readonly string[],
  options: SharedProcessOptions,
): AsyncGenerator<RunEvent> {
  const child = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      '--test',
      '--test-isolation=none',
      '--test-force-exit',
      `--test-timeout=${options.timeoutMs}`,
      `--test-reporter=${join(import.meta.dirname, 'forward-events.ts')}`,
      ...(options.name === undefined ? [] : [`--test-name-pattern=${options.name}`]),
      ...files,
    ],
    // Also when this process is itself a test's: its own variable would make the child speak to that one's runner.
    {
      cwd: options.cwd,
      env: { ...process.env, NODE_TEST_CONTEXT: undefined },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
    },
  )
  let complete = false
  const disconnected = new AbortController()
  child.once('disconnect', () => disconnected.abort())
  try {
    for await (const [event] of on(child, 'message', { signal: disconnected.signal }) as AsyncIterable<[RunEvent]>) {
      if (event.type === 'test:summary') complete = true
      yield event
    }
  } catch (error) {
    if (!disconnected.signal.aborted) throw error
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  if (!complete) yield* endedEarly(child.signalCode ?? `exit code ${child.exitCode}`)
}

function* endedEarly(how: string): Generator<RunEvent> {
  const name = `the shared test process ended before its tests did (${how})`
  const details = { duration_ms: 0, error: new Error(name) }
  const place = { nesting: 0, testNumber: 1, file: undefined, line: undefined, column: undefined }
  yield { type: 'test:fail', data: { name, details, ...place } }
  yield { type: 'test:diagnostic', data: { message: 'tests 1', nesting: 0 } }
  yield { type: 'test:diagnostic', data: { message: 'fail 1', nesting: 0 } }
}
