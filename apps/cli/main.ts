// The command line: `crossfade --help`.
import { runCommandLine } from './run.ts'

/** Everything is closed by then; what still holds the process after this is nobody's business any more. */
const lingerMsMax = 3000

process.exitCode = await runCommandLine(process.argv.slice(2))
setTimeout(() => process.exit(), lingerMsMax).unref()
