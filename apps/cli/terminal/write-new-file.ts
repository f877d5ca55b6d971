import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fail } from '@crossfade/model/failure.ts'

/** Writes a file that is not there yet, with the folders above it; CF7006 when it is, unless `force`. */
export function writeNewFile(path: string, text: string, force: boolean): void {
  mkdirSync(dirname(path), { recursive: true })
  try {
    writeFileSync(path, text, { flag: force ? 'w' : 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw fail('CF7006', { path })
    throw error
  }
}
