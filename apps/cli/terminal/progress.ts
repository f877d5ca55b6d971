import { stripVTControlCharacters } from 'node:util'

/** Without a terminal, a line is written when something changed, but not more often than this. */
const lineMs = 2000

export interface ProgressDisplay {
  readonly width: number
  /** `panel` replaces the last one on a terminal; `line` is written where there is none. */
  show(panel: string, line: string): void
  /** Leaves the last panel standing. */
  close(): void
}

/** Draws on standard error: a panel in place on a terminal, plain lines anywhere else. */
export function progressDisplay(stream: NodeJS.WriteStream = process.stderr): ProgressDisplay {
  return stream.isTTY ? new Panel(stream) : new Lines(stream)
}

class Panel implements ProgressDisplay {
  readonly #stream: NodeJS.WriteStream
  #height = 0

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream
    stream.write('\x1b[?25l')
  }

  get width(): number {
    return Math.max(40, this.#stream.columns ?? 80)
  }

  show(panel: string): void {
    // What does not fit would scroll away and could not be drawn over.
    const lines = panel.split('\n').slice(0, Math.max(4, (this.#stream.rows ?? 24) - 1))
    const up = this.#height > 0 ? `\x1b[${this.#height}A` : ''
    this.#stream.write(`${up}${lines.map((line) => `\x1b[2K${fitted(line, this.width)}\n`).join('')}\x1b[0J`)
    this.#height = lines.length
  }

  close(): void {
    this.#stream.write('\x1b[?25h')
  }
}

class Lines implements ProgressDisplay {
  readonly width = 120
  readonly #stream: NodeJS.WriteStream
  #last = ''
  #pending = ''
  #at = Number.NEGATIVE_INFINITY

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream
  }

  show(_panel: string, line: string): void {
    this.#pending = line
    if (line === this.#last || performance.now() - this.#at < lineMs) return
    this.#write()
  }

  close(): void {
    if (this.#pending !== this.#last) this.#write()
  }

  #write(): void {
    this.#at = performance.now()
    this.#last = this.#pending
    this.#stream.write(`${this.#pending}\n`)
  }
}

/** A line that wrapped would be two lines, and the panel could not be drawn over. What is too long loses its colours with its end. */
function fitted(line: string, width: number): string {
  const plain = stripVTControlCharacters(line)
  return plain.length <= width ? line : `${plain.slice(0, width - 1)}…`
}
