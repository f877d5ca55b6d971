import { Command } from 'commander'
import { version } from './version.ts'

/** The program without its commands. */
export function emptyProgram(): Command {
  return new Command('crossfade')
    .description('Move a live system from old to new, with proof at every step and one way back.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show the help of a command')
    .showHelpAfterError('(add --help for what it takes)')
    .showSuggestionAfterError()
    .exitOverride()
}

/** Has every command throw what it would end the process with. */
export function throwInsteadOfExit(program: Command): Command {
  for (const command of program.commands) {
    command.exitOverride()
    for (const below of command.commands) below.exitOverride()
  }
  return program
}
