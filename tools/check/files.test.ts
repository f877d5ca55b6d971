import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { checkFileLengths, checkMachinePaths, checkNames, fileLinesMax } from './files.ts'

function inDirectory<Result>(text: string, check: (root: string) => Result): Result {
  const root = mkdtempSync(join(tmpdir(), 'crossfade-files-'))
  try {
    writeFileSync(join(root, 'a.ts'), text)
    return check(root)
  } finally {
    rmSync(root, { recursive: true })
  }
}

test('a file may have as many lines as the limit, and not one more', () => {
  const lines = (count: number) => Array.from({ length: count }, () => '').join('\n')
  assert.equal(inDirectory(lines(fileLinesMax), (root) => checkFileLengths(root, ['a.ts'])).length, 0)
  assert.equal(inDirectory(lines(fileLinesMax + 1), (root) => checkFileLengths(root, ['a.ts'])).length, 1)
})

test('empty names are found in files and folders, as whole words', () => {
  const bad = ['packages/a/utils.ts', 'packages/common/a.ts', 'packages/a/test-helpers.ts', 'packages/a/Manager.ts']
  assert.equal(checkNames(bad).length, bad.length)
  assert.deepEqual(checkNames(['packages/a/commonality.ts', 'packages/a/lsn.ts']), [])
})

test('paths of one machine are found, ordinary ones are not', () => {
  const machine = ['', 'work', 'main'].join('/')
  assert.equal(inDirectory(`const a = '${machine}'`, (root) => checkMachinePaths(root, ['a.ts']))[0]?.place, 'a.ts:1')
  const fine = "const a = 'https://example.com/work/main'\nconst b = './work/main'\nconst c = '/network/'"
  assert.deepEqual(
    inDirectory(fine, (root) => checkMachinePaths(root, ['a.ts'])),
    [],
  )
})
