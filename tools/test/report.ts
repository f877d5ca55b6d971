// Shows several test runs as one: every test as it ends, the failing ones again at the end, and one summary in the
// form that node's own test runner prints.
import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { spec } from 'node:test/reporters'
import { Failures } from './failures.ts'
import { FileTimes } from './file-times.ts'

const countNames = ['tests', 'suites', 'pass', 'fail', 'cancelled', 'skipped', 'todo'] as const
type Count = (typeof countNames)[number]

/** What node's test runner emits for each thing that happens in a run. */
export interface RunEvent {
  type: string
  data: unknown
}

interface Diagnostic extends RunEvent {
  data: { message: string; nesting: number }
}

/** Shows the runs of all groups as one, and adds up their counts. */
export class Report {
  readonly counts: Record<Count, number> = { tests: 0, suites: 0, pass: 0, fail: 0, cancelled: 0, skipped: 0, todo: 0 }
  readonly #reporters: InstanceType<typeof spec>[] = []
  readonly #failures: Failures[] = []
  readonly #times = new FileTimes()
  readonly #started = Date.now()
  readonly #output: Writable

  constructor(output: Writable = process.stdout) {
    this.#output = output
  }

  /** Shows a run and adds its counts. Resolves when the run has ended. Several may be followed at once: each has a reporter of its own, which knows what belongs together. */
  async follow(run: AsyncIterable<RunEvent>): Promise<void> {
    const reporter = new spec()
    const failures = new Failures()
    reporter.pipe(this.#output, { end: false })
    this.#reporters.push(reporter)
    this.#failures.push(failures)
    for await (const event of run) {
      failures.note(event)
      this.#times.note(event)
      if (isSummaryLine(event)) this.#add(event.data.message)
      else if (!reporter.write(event)) await once(reporter, 'drain')
    }
  }

  /** Prints the failing tests with all they said, the summary, and at the end each failing test again with the command that repeats it; before these the `slowest` files. */
  async close(
    files: { pure: number; database: number },
    told: { root: string; seed: number; slowest?: number | undefined },
  ): Promise<void> {
    for (const reporter of this.#reporters) {
      reporter.end()
      await once(reporter, 'end')
    }
    const lines = countNames.map((name) => `ℹ ${name} ${this.counts[name]}`)
    this.#output.write(`\n${lines.join('\n')}\nℹ duration_ms ${Date.now() - this.#started}\n`)
    const verdict = this.succeeded ? 'passed' : this.counts.tests === 0 ? 'no tests ran' : 'FAILED'
    const found = `${files.pure} files in one process, ${files.database} in processes of their own`
    for (const line of this.#times.lines(told.root, told.slowest ?? 0)) this.#output.write(`${line}\n`)
    for (const failures of this.#failures)
      for (const line of failures.lines(told.root, told.seed)) this.#output.write(`${line}\n`)
    this.#output.write(`crossfade tests: ${verdict}: ${this.counts.pass} of ${this.counts.tests} tests (${found})\n`)
  }

  /** No tests at all is a failure: a filter that matches nothing proves nothing. */
  get succeeded(): boolean {
    return this.counts.tests > 0 && this.counts.fail === 0 && this.counts.cancelled === 0
  }

  #add(message: string): void {
    const [name, value] = message.split(' ')
    if (countNames.includes(name as Count)) this.counts[name as Count] += Number(value)
  }
}

/** The lines a run ends with, replaced here by the sum over all runs. */
function isSummaryLine(event: RunEvent): event is Diagnostic {
  if (event.type !== 'test:diagnostic') return false
  const { message, nesting } = (event as Diagnostic).data
  return nesting === 0 && /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/.test(message)
}
