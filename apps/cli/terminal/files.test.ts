import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Failure } from '@crossfade/model/failure.ts'
import { readSecretFile } from './read-secret-file.ts'
import { readTextFile } from './read-text-file.ts'
import { writeNewFile } from './write-new-file.ts'

const directory = mkdtempSync(join(tmpdir(), 'crossfade-files-'))
after(() => rmSync(directory, { recursive: true, force: true }))

function fileWith(content: string | Buffer): string {
  const path = join(directory, `${Math.random()}`)
  writeFileSync(path, content)
  return path
}

const says = (code: string, words: RegExp) => (error: unknown) =>
  error instanceof Failure && error.code === code && words.test(error.message)

test('a secret comes from its file without the white space around it', () => {
  assert.equal(readSecretFile(fileWith('  key \r\n'), 'key'), 'key')
})

test('what is no secret is refused before anything is sent: absent, a directory, empty, binary, another file', () => {
  assert.throws(() => readSecretFile(join(directory, 'none'), 'key'), says('CF14012', /there is none/))
  assert.throws(() => readSecretFile(directory, 'key'), says('CF14012', /a directory/))
  assert.throws(() => readSecretFile(fileWith(' \n'), 'key'), says('CF14021', /no key: it is empty/))
  assert.throws(() => readSecretFile(fileWith(Buffer.from([0xff, 0xfe, 0x80])), 'key'), says('CF14021', /no text/))
  assert.throws(() => readSecretFile(fileWith('x'.repeat(8_193)), 'key'), says('CF14021', /8193 bytes/))
  assert.throws(() => readTextFile(join(directory, 'none')), says('CF14012', /there is none/))
})

test('a new file is written with its folders; one that is there, and where none can be, is said', () => {
  const path = join(directory, 'a', 'b', 'file')
  writeNewFile(path, 'first', false)
  assert.equal(readTextFile(path), 'first')
  assert.throws(() => writeNewFile(path, 'second', false), says('CF7006', /exists/))
  writeNewFile(path, 'second', true)
  assert.equal(readTextFile(path), 'second')
  assert.throws(() => writeNewFile(directory, 'x', true), says('CF14026', /a directory/))
  // Where Node itself would try for ever.
  assert.throws(() => writeNewFile('/proc/nowhere/file', 'x', false), says('CF14026', /proc/))
})
