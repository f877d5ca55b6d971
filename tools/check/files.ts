// Rules about files themselves: their length, their names, and words that must not be in them.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isTypeScript } from '../source-files.ts'
import type { CheckFinding } from './finding.ts'

export const fileLinesMax = 600

/** Names that say nothing about what is inside. */
const emptyNames = new Set(['utils', 'util', 'helpers', 'helper', 'common', 'manager', 'misc'])

/** Whether a file is text we wrote: what these rules look into. */
const textFiles = /\.(ts|tsx|mjs|js|json|md|sql|css|html|ya?ml|sh)$|^LICENSE$|\.ci\/run$/

/** Paths of one machine: they work for nobody else. Written in pieces, so that this file passes its own check. */
const machinePaths = [['', 'work', ''].join('/'), ['', 'tmp', 'cf'].join('/')].map(
  (path) => new RegExp(`(^|[^\\w./:-])${path}(?![\\w]*\\.(com|org|dev|net))`, 'm'),
)

/** TypeScript files that are longer than the limit. */
export function checkFileLengths(root: string, files: readonly string[]): CheckFinding[] {
  return files
    .filter((path) => isTypeScript(path))
    .flatMap((path) => {
      const lines = readFileSync(join(root, path), 'utf8').split('\n').length
      return lines > fileLinesMax ? [{ place: path, reason: `${lines} lines; split it (${fileLinesMax} at most)` }] : []
    })
}

/** Folders named after services of others: `google-secret-manager` is a name, not an idea of ours. */
const namedByOthers = 'packages/catalog/services/'

/** Files and folders whose name says nothing. */
export function checkNames(files: readonly string[]): CheckFinding[] {
  return files
    .filter((path) => !path.startsWith(namedByOthers))
    .flatMap((path) => {
      const empty = path.split(/[/._-]/).find((word) => emptyNames.has(word.toLowerCase()))
      return empty === undefined ? [] : [{ place: path, reason: `"${empty}" says nothing; name it after what it does` }]
    })
}

/** Lines that hold a path of one machine. */
export function checkMachinePaths(root: string, files: readonly string[]): CheckFinding[] {
  return files
    .filter((path) => textFiles.test(path) && path !== 'package-lock.json')
    .flatMap((path) =>
      readFileSync(join(root, path), 'utf8')
        .split('\n')
        .flatMap((line, index) =>
          machinePaths.some((pattern) => pattern.test(line))
            ? [{ place: `${path}:${index + 1}`, reason: 'holds a path that exists on one machine only' }]
            : [],
        ),
    )
}
