import { createHash, randomBytes } from 'node:crypto'
import { fail } from '@crossfade/model/failure.ts'
import { type Role, roles, tokenNamePattern } from './authentication.ts'

/** Starts every token, so that secret scanners and the log's redaction know one when they see it. */
export const tokenPrefix = 'crossfade_'
const tokenBytes = 32

export interface NewToken {
  /** Shown once; nobody can get it back from the line. */
  readonly token: string
  /** To be appended to the tokens file: `name:role:sha256`. */
  readonly line: string
}

/**
 * Makes a bearer token for `crossfade server token NAME ROLE`. Nothing is stored: the caller shows the token and appends the line to the file
 * that the server reads. Throws CF7212 for a name or a role that the tokens file could not hold.
 */
export function makeToken(name: string, role: string): NewToken {
  if (!tokenNamePattern.test(name)) {
    throw fail('CF7212', { reason: `the name ${JSON.stringify(name)} is not made of letters, digits and . - _ @` })
  }
  if (!roles.includes(role as Role)) throw fail('CF7212', { reason: `there is no role ${JSON.stringify(role)}` })
  const token = `${tokenPrefix}${randomBytes(tokenBytes).toString('base64url')}`
  return { token, line: `${name}:${role}:${createHash('sha256').update(token).digest('hex')}` }
}
