import { readFileSync } from 'node:fs'

const { version: written } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8')) as {
  version: string
}

/** Crossfade's version, from the one place where it is written. */
export const version = written
