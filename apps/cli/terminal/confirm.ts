import { createInterface } from 'node:readline/promises'
import { fail } from '@crossfade/model/failure.ts'
import { interruption } from './interrupt.ts'

/** Asks a person; only `y` or `yes` is yes. CF7005 when there is no terminal to ask at. */
export async function confirm(question: string, what: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) throw fail('CF7005', { what })
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await terminal.question(`${question} [y/N] `, { signal: interruption })
    return /^y(es)?$/i.test(answer.trim())
  } catch {
    return false
  } finally {
    terminal.close()
  }
}
