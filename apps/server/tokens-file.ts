import { readFileSync, statSync } from 'node:fs'
import { fail, reasonOf } from '@crossfade/model/failure.ts'
import type { FastifyBaseLogger } from 'fastify'
import { parseTokens, type TokenRecord } from './authentication.ts'

/** The file is looked at this often at most, and only when somebody calls. */
const lookMs = 1_000

/**
 * The tokens of a file, read again when it has changed: a token that is added works, and one that is taken out stops working, within a second and without a restart.
 * While the file cannot be read or holds a wrong line, the tokens of before stay, and the log says so.
 * Throws CF7210 (cannot be read) or CF7204 (a wrong line) when that is so from the start.
 */
export function tokensOfFile(path: string, log: FastifyBaseLogger | null): () => readonly TokenRecord[] {
  let seen = ''
  let lookedAt = performance.now()
  let records = read()

  function read(): readonly TokenRecord[] {
    try {
      // Looked at before it is read: a change in between is seen the next time.
      const { mtimeMs, size } = statSync(path)
      const version = `${mtimeMs} ${size}`
      if (version === seen) return records
      const parsed = parseTokens(readFileSync(path, 'utf8'))
      seen = version
      return parsed
    } catch (error) {
      if ((error as NodeJS.ErrnoException).syscall === undefined) throw error
      throw fail('CF7210', { path, reason: reasonOf(error) }, error)
    }
  }

  return () => {
    if (performance.now() - lookedAt < lookMs) return records
    lookedAt = performance.now()
    try {
      records = read()
    } catch (error) {
      log?.error({ err: error }, 'the tokens file cannot be used; the tokens of before stay')
    }
    return records
  }
}
