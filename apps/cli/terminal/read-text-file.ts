import { readFileSync } from 'node:fs'
import { fail, reasonOf } from '@crossfade/model/failure.ts'

/** The text of a file that a person named. Throws CF14012, in words for the troubles that people have. */
export function readTextFile(path: string): string {
  return readNamedFile(path).toString('utf8')
}

/** The bytes of a file, `-` for standard input. Throws CF14012. */
export function readNamedFile(path: string): Buffer {
  try {
    return readFileSync(path === '-' ? standardInput : path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const reason = troubles[code ?? ''] ?? reasonOf(error)
    throw fail('CF14012', { path: path === '-' ? 'standard input' : path, reason }, error)
  }
}

const standardInput = 0

const troubles: Readonly<Record<string, string>> = {
  ENOENT: 'there is none',
  ENOTDIR: 'there is none',
  EISDIR: 'it is a directory',
  EACCES: 'this user may not read it',
  EPERM: 'this user may not read it',
}
