import type { Command } from 'commander'
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
import { emptyProgram, throwInsteadOfExit } from './empty-program.ts'

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
  const program = emptyProgram()
  for (const register of registrations) register(program, end)
  return throwInsteadOfExit(program)
}
