// Compiling takes the processor for seconds: a process that serves has it done by another.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { isCurrent } from './is-current.ts'

const buildMsMax = 120_000

/** As `buildSnapshot`, in a process of its own where there is something to compile. What is wrong with services is in the file that it writes; rejects when the process fails or takes longer than two minutes. */
export async function buildSnapshotApart(directories: readonly string[], file: string): Promise<void> {
  if (isCurrent(directories, file)) return
  const args = ['--disable-warning=ExperimentalWarning', import.meta.filename, file, ...directories]
  await promisify(execFile)(process.execPath, args, { timeout: buildMsMax })
}

if (process.argv[1] === import.meta.filename) {
  const [file, ...directories] = process.argv.slice(2)
  // The compiler is loaded where it is used.
  const { buildSnapshot } = await import('./build.ts')
  buildSnapshot(directories, file!)
}
