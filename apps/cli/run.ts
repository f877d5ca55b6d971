import { CommanderError } from 'commander'
import { buildProgram } from './program.ts'
import { exitCodes } from './terminal/exit-codes.ts'
import { printFailure } from './terminal/failure.ts'
import { interruption } from './terminal/interrupt.ts'

/** Runs one command and gives the exit code: 0 fine, 1 a finding, a mismatch or a failure, 2 wrong usage, 130 interrupted. Never throws. */
export async function runCommandLine(argv: readonly string[]): Promise<number> {
  const asJson = argv.includes('--json')
  let code: number = exitCodes.fine
  const program = buildProgram((found) => {
    code = found
  })
  try {
    await program.parseAsync([...argv], { from: 'user' })
  } catch (error) {
    // Commander has already said what is wrong with the usage, or shown the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.fine : exitCodes.usage
    code = printFailure(error, asJson)
  }
  return interruption.aborted ? exitCodes.interrupted : code
}
