import { readFileSync } from 'node:fs'
import { fail, reasonOf } from '@crossfade/model/failure.ts'

const standardInput = 0
/** Keys are shorter; what is longer is another file. */
const secretBytesMax = 64 * 1024

/**
 * The secret that a file holds, or standard input for `-`, without white space around it. Secrets come this way, never by arguments: those stand in the process list and in the shell's history.
 * Throws CF14012 when it can't be read, CF14021 when it is empty, too large or no text. `what` names the secret in messages.
 */
export function readSecretFile(path: string, what: string): string {
  let bytes: Buffer
  try {
    bytes = readFileSync(path === '-' ? standardInput : path)
  } catch (error) {
    throw fail('CF14012', { path: nameOf(path), reason: reasonOf(error) }, error)
  }
  const wrong = (reason: string) => fail('CF14021', { path: nameOf(path), what, reason })
  if (bytes.length > secretBytesMax) throw wrong(`it has ${bytes.length} bytes`)
  const secret = bytes.toString('utf8').trim()
  if (secret === '') throw wrong('it is empty')
  if (secret.includes('\uFFFD') || secret.includes('\0')) throw wrong('it is no text')
  return secret
}

function nameOf(path: string): string {
  return path === '-' ? 'standard input' : path
}
