import { fail } from '@crossfade/model/failure.ts'
import { readNamedFile } from './read-text-file.ts'

/** What the server takes; what is longer is another file. */
const secretBytesMax = 8_192

/**
 * The secret that a file holds, or standard input for `-`, without white space around it. Secrets come this way, never by arguments: those stand in the process list and in the shell's history.
 * Throws CF14012 when it can't be read, CF14021 when it is empty, too large or no text. `what` names the secret in messages.
 */
export function readSecretFile(path: string, what: string): string {
  const bytes = readNamedFile(path)
  const wrong = (reason: string) => fail('CF14021', { path: path === '-' ? 'standard input' : path, what, reason })
  if (bytes.length > secretBytesMax) throw wrong(`it has ${bytes.length} bytes, and ${secretBytesMax} are taken`)
  const secret = bytes.toString('utf8').trim()
  if (secret === '') throw wrong('it is empty')
  if (secret.includes('\uFFFD') || secret.includes('\0')) throw wrong('it is no text')
  return secret
}
