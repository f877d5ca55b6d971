// A worker as a process of its own, so that it can be killed: takes work from the control database until its standard input closes.
// CROSSFADE_CONTROL_URL names the control database. Exits with `unreachableExitCode` when that does not answer at the start; whoever runs it tries again.
import process from 'node:process'
import { defaultPlaces } from '@crossfade/engine/engine.ts'
import { reasonOf } from '@crossfade/model/failure.ts'
import { openCrossfade } from 'crossfade/wiring/open.ts'
import { unreachableExitCode } from './exit-codes.ts'

const crossfade = await openCrossfade({}).catch((error: unknown) => {
  process.stderr.write(`${reasonOf(error)}\n`)
  process.exit(unreachableExitCode)
})
// As many streams as the largest of these systems has: one worker that is left can take them all over.
await crossfade.work({ places: { ...defaultPlaces, stream: 6 } })
process.stdin.resume()
process.stdin.once('close', () => {
  void crossfade.close().finally(() => process.exit(0))
})
