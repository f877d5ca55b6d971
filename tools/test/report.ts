// Shows several test runs as one: every test as it ends, the failing ones again at the end, and one summary in the
// form that node's own test runner prints.
import { once } from 'node:events'
import { spec } from 'node:test/reporters'

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
  readonly #started = Date.now()

  /** Shows a run and adds its counts. Resolves when the run has ended. Several may be followed at once: each has a reporter of its own, which knows what belongs together. */
  async follow(run: AsyncIterable<RunEvent>): Promise<void> {
    const reporter = new spec()
    reporter.pipe(process.stdout, { end: false })
    this.#reporters.push(reporter)
    for await (const event of run) {
      if (isSummaryLine(event)) this.#add(event.data.message)
      else if (!reporter.write(event)) await once(reporter, 'drain')
    }
  }

  /** Prints the failing tests and the summary. */
  async close(files: { pure: number; database: number }): Promise<void> {
    for (const reporter of this.#reporters) {
      reporter.end()
      await once(reporter, 'end')
    }
    const lines = countNames.map((name) => `ℹ ${name} ${this.counts[name]}`)
    process.stdout.write(`\n${lines.join('\n')}\nℹ duration_ms ${Date.now() - this.#started}\n`)
    const verdict = this.succeeded ? 'passed' : this.counts.tests === 0 ? 'no tests ran' : 'FAILED'
    const found = `${files.pure} files in one process, ${files.database} in processes of their own`
    process.stdout.write(`crossfade tests: ${verdict}: ${this.counts.pass} of ${this.counts.tests} tests (${found})\n`)
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
