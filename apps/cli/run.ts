import { type Command, CommanderError } from 'commander'
import { emptyProgram, throwInsteadOfExit } from './empty-program.ts'
import { exitCodes } from './terminal/exit-codes.ts'
import { printFailure } from './terminal/failure.ts'
import { interruption } from './terminal/interrupt.ts'

/** Runs one command and gives the exit code: 0 fine, 1 a finding, a mismatch or a failure, 2 wrong usage, 130 interrupted. Never throws. */
export async function runCommandLine(argv: readonly string[]): Promise<number> {
  const asJson = argv.includes('--json')
  let code: number = exitCodes.fine
  const program = await programFor(argv, (found) => {
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

/** Every command; for `mcp serve`, which has a time to be ready in, that one alone: the others' libraries are not loaded. */
async function programFor(argv: readonly string[], end: (code: number) => void): Promise<Command> {
  if (argv[0] === 'mcp' && argv[1] === 'serve') {
    const [{ mcpCommand }, { registerServe }] = await Promise.all([
      import('./commands/mcp/mcp-command.ts'),
      import('./commands/mcp/serve.ts'),
    ])
    const program = emptyProgram()
    registerServe(mcpCommand(program))
    return throwInsteadOfExit(program)
  }
  const { buildProgram } = await import('./program.ts')
  return buildProgram(end)
}
