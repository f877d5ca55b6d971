// The command line: `crossfade --help`.
import { enableCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Everything is closed by then; what still holds the process after this is nobody's business any more. */
const lingerMsMax = 3000

// Loading is most of what a short command does. The cache is the user's own, so that nobody else can put code into it.
enableCompileCache(join(homedir(), '.cache', 'crossfade', 'compiled'))
// Whoever reads what is written has read enough, as `head` does: that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})
const { runCommandLine } = await import('./run.ts')
process.exitCode = await runCommandLine(process.argv.slice(2))
setTimeout(() => process.exit(), lingerMsMax).unref()
