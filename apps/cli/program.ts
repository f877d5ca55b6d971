import { Command } from 'commander'
import { registerDoctor } from './commands/doctor.ts'
import { registerPlan } from './commands/plan.ts'

/** Every command of the CLI. `end` is told the exit code of a command that ran to its end. */
export function buildProgram(end: (code: number) => void): Command {
  const program = new Command('crossfade')
    .description('Move a live system from old to new, with proof at every step and one way back.')
    .version('0.1.0', '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show the help of a command')
    .showHelpAfterError('(add --help for what it takes)')
    .showSuggestionAfterError()
    .exitOverride()
    .configureHelp({ showGlobalOptions: false })
  for (const register of [registerDoctor, registerPlan]) register(program, end)
  for (const command of program.commands) command.exitOverride()
  return program
}
