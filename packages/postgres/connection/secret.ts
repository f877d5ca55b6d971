import { readFileSync } from 'node:fs'
import { fail } from '@crossfade/model/failure.ts'
import type { SecretReference } from '@crossfade/pipeline/resolved-plan.ts'

/** Where secrets are looked up; the process's own environment and files unless a test gives others. */
export interface SecretSources {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The file's text. Throws when it can't be read. */
  readFile(path: string): string
}

export const processSecrets: SecretSources = {
  environment: process.env,
  readFile: (path) => readFileSync(path, 'utf8'),
}

/** The secret itself: a password or a whole URL, as `reference.holds` says. Throws CF1003 when it isn't there or is empty. */
export function resolveSecret(reference: SecretReference, sources: SecretSources = processSecrets): string {
  if (reference.from === 'environment') {
    const value = sources.environment[reference.variable]
    if (!value) throw fail('CF1003', { name: reference.variable })
    return value
  }
  let text: string
  try {
    text = sources.readFile(reference.path)
  } catch (error) {
    throw fail('CF1003', { name: reference.path }, error)
  }
  const value = text.replace(/\r?\n$/, '')
  if (!value) throw fail('CF1003', { name: reference.path })
  return value
}
