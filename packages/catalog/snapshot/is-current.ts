import { readHead } from './read.ts'
import { sourcesDigest } from './sources-digest.ts'

/** Whether `file` is of the services of `directories` as they are now. Milliseconds for a few services; reads their files. */
export function isCurrent(directories: readonly string[], file: string): boolean {
  try {
    return readHead(file).sources === sourcesDigest(directories)
  } catch {
    return false
  }
}
