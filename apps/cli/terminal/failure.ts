import { Failure, reasonOf } from '@crossfade/model/failure.ts'
import { ServerProblem } from '../wiring/mcp/server-problem.ts'
import { exitCodes } from './exit-codes.ts'
import { colour } from './style.ts'

/** Failures that say the command line itself is wrong. */
const usageCodes = ['CF7005', 'CF7006', 'CF7007']

/** Says what went wrong, as `CF1234 sentence` and `→ remedy`, and gives the exit code. A stack is shown only with CROSSFADE_DEBUG=1. */
export function printFailure(error: unknown, asJson: boolean): number {
  const known = error instanceof Failure || error instanceof ServerProblem
  const code = known ? error.code : 'CF9001'
  const message = known ? error.message : `Crossfade contradicted itself: ${reasonOf(error)}.`
  const remedy = known ? error.remedy : 'This is a bug; run it again with CROSSFADE_DEBUG=1 and report what it prints.'
  if (asJson) process.stdout.write(`${JSON.stringify({ error: { code, message, remedy } })}\n`)
  process.stderr.write(`${colour.red(code)} ${message}\n  ${colour.dim('→')} ${remedy}\n`)
  if (process.env['CROSSFADE_DEBUG'] === '1') process.stderr.write(`${trace(error)}\n`)
  return usageCodes.includes(code) ? exitCodes.usage : exitCodes.failure
}

function trace(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause === undefined ? '' : `\ncaused by ${trace(error.cause)}`
  return `${error.stack ?? error.message}${cause}`
}
