// What failed, in as few lines as repeat it: they are the last that a run prints, where a log that is cut still has them.
import { relative } from 'node:path'
import { replayVariable } from '@crossfade/model/testing/test-seed.ts'
import type { RunEvent } from './report.ts'

/** Of one run; who breaks more than this looks at the whole output. */
const failuresToldMax = 50
/** Of a test's name, which may hold what it was given. */
const nameCharactersMax = 200

interface Failure {
  name: string
  file: string | undefined
  line: number | undefined
  /** What the test itself said that it ran with, before the seed of the run. */
  seed: string | undefined
}

interface EndedTest {
  name: string
  file?: string | undefined
  line?: number | undefined
  todo?: unknown
  details?: { error?: unknown }
}

/** Collects the failures of one run's events, in their order. */
export class Failures {
  readonly #found: Failure[] = []
  /** The test that ended last, if it failed: the runner sends its diagnostics right after it. */
  #last: Failure | undefined

  /** Called with every event of a run. */
  note(event: RunEvent): void {
    if (event.type === 'test:pass') this.#last = undefined
    else if (event.type === 'test:fail') this.#failed(event.data as EndedTest)
    else if (event.type === 'test:diagnostic' && this.#last) {
      const { message, file, line } = event.data as { message: string; file?: string; line?: number }
      if (file === this.#last.file && line === this.#last.line) this.#last.seed ??= toldSeed(message)
    }
  }

  /** For every failure its file and name, and the command that repeats it; `seed` is that of the run. */
  lines(root: string, seed: number): string[] {
    const told = this.#found.slice(0, failuresToldMax).flatMap((failure) => {
      const file = failure.file === undefined ? '' : relative(root, failure.file)
      const place = failure.line === undefined ? file : `${file}:${failure.line}`
      return [
        `✖ ${[place, shortened(failure.name)].filter(Boolean).join('  ')}`,
        `    ${replayVariable}=${failure.seed ?? seed} npm test -- ${file}`.trimEnd(),
      ]
    })
    const left = this.#found.length - failuresToldMax
    return left > 0 ? [...told, `✖ and ${left} more, see above`] : told
  }

  #failed(test: EndedTest): void {
    this.#last = undefined
    const { error } = test.details ?? {}
    // A suite fails with its tests, which have been noted; a test that is to do counts as no failure.
    if (isFailureOfSubtests(error) || (test.todo !== undefined && test.todo !== false)) return
    const texts = [...messagesOf(error), test.name]
    const seed = texts.map(toldSeed).find((each) => each !== undefined)
    this.#last = { name: test.name, file: test.file, line: test.line, seed }
    this.#found.push(this.#last)
  }
}

/** As our tests say it; fast-check's own words hold the seed that it was given, which is ours. */
function toldSeed(text: string): string | undefined {
  return new RegExp(`${replayVariable}=(-?\\d+)`).exec(text)?.[1] ?? /\bseed:? (-?\d+)/.exec(text)?.[1]
}

function isFailureOfSubtests(error: unknown): boolean {
  return error instanceof Error && /^\d+ subtests? failed$/.test(error.message)
}

/** Of an error and what caused it, outermost first. */
function messagesOf(error: unknown): string[] {
  const messages: string[] = []
  for (let each = error; each !== undefined && messages.length < 5; ) {
    if (!(each instanceof Error)) return [...messages, String(each)]
    messages.push(each.message)
    each = each.cause
  }
  return messages
}

function shortened(name: string): string {
  const line = name.replace(/\s+/g, ' ')
  return line.length <= nameCharactersMax ? line : `${line.slice(0, nameCharactersMax)}…`
}
