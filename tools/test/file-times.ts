// How long each test file took, from the events of a run: where time goes is known before anybody looks for it.
import { relative } from 'node:path'
import type { RunEvent } from './report.ts'

interface EndedTest {
  file?: string
  nesting: number
  details: { duration_ms: number }
}

/** Adds up the time of the outermost tests and suites of each file. */
export class FileTimes {
  readonly #milliseconds = new Map<string, number>()

  /** Called with every event of a run. */
  note(event: RunEvent): void {
    if (event.type !== 'test:pass' && event.type !== 'test:fail') return
    const { file, nesting, details } = event.data as EndedTest
    if (nesting !== 0 || file === undefined) return
    this.#milliseconds.set(file, (this.#milliseconds.get(file) ?? 0) + details.duration_ms)
  }

  /** The `count` files that took the longest, the longest first. */
  lines(root: string, count: number): string[] {
    return [...this.#milliseconds]
      .sort(([, one], [, other]) => other - one)
      .slice(0, count)
      .map(([file, milliseconds]) => `${(milliseconds / 1000).toFixed(1).padStart(7)} s  ${relative(root, file)}`)
  }
}
