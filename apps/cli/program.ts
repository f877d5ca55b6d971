import { Command } from 'commander'
import { registerApply } from './commands/apply.ts'
import type { Register } from './commands/command.ts'
import { registerCompletion } from './commands/completion.ts'
import { registerDoctor } from './commands/doctor.ts'
import { registerHistory } from './commands/history.ts'
import { registerInit } from './commands/init.ts'
import { registerMcp } from './commands/mcp/mcp.ts'
import { registerNew } from './commands/new.ts'
import { registerPlan } from './commands/plan.ts'
import { registerServer } from './commands/server.ts'
import { registerSimulate } from './commands/simulate.ts'
import { registerStatus } from './commands/status.ts'
import { registerSteering } from './commands/steer.ts'
import { registerTour } from './commands/tour.ts'
import { registerVerify } from './commands/verify.ts'
import { version } from './version.ts'

/** In the order in which help lists them. */
const registrations: readonly Register[] = [
  registerInit,
  registerNew,
  registerDoctor,
  registerPlan,
  registerApply,
  registerStatus,
  registerSteering,
  registerVerify,
  registerHistory,
  registerServer,
  registerSimulate,
  registerTour,
  registerMcp,
  registerCompletion,
]

/** Every command of the CLI. `end` is told the exit code of a command that ran to its end. */
export function buildProgram(end: (code: number) => void): Command {
  const program = new Command('crossfade')
    .description('Move a live system from old to new, with proof at every step and one way back.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show the help of a command')
    .showHelpAfterError('(add --help for what it takes)')
    .showSuggestionAfterError()
    .exitOverride()
  for (const register of registrations) register(program, end)
  for (const command of program.commands) {
    command.exitOverride()
    for (const below of command.commands) below.exitOverride()
  }
  return program
}
