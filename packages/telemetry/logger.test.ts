import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLogger } from './logger.ts'

test('SI-08 no kind of secret that the platform makes reaches the log: tokens of instances, URLs, people, applications and their clients', () => {
  const lines: string[] = []
  const logger = createLogger('debug', { write: (line) => void lines.push(line) })
  const secret = 'a'.repeat(43)
  // Bearer tokens, URL secrets, API tokens; access tokens, refresh tokens and client secrets of OAuth.
  for (const kind of ['cfi_', 'cfu_', 'cfp_', 'cfo_', 'cfr_', 'cfs_']) {
    logger.error(
      { err: new Error(`refused ${kind}${secret}`), at: `/x/figma/${kind}${secret}/` },
      `of ${kind}${secret}`,
    )
  }
  assert.equal(lines.length, 6)
  assert.ok(!lines.join('').includes(secret), lines.join(''))
})
