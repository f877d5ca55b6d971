import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fail, reasonOf } from '@crossfade/model/failure.ts'

/** Writes a file that is not there yet, with the folders above it; CF7006 when it is, unless `force`, CF14026 when it can't be. */
export function writeNewFile(path: string, text: string, force: boolean): void {
  try {
    makeFolder(dirname(resolve(path)))
    writeFileSync(path, text, { flag: force ? 'w' : 'wx' })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') throw fail('CF7006', { path })
    throw fail('CF14026', { path, reason: code === 'EISDIR' ? 'it is a directory' : reasonOf(error) }, error)
  }
}

/** Not by `recursive`: where nothing can be made, as below /proc, Node tries it for ever. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return
  makeFolder(dirname(folder))
  mkdirSync(folder)
}
