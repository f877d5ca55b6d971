import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { hydrateSymlinks } from './binaries.ts'

test('links that the package archive could not hold are created once, beside those that exist', () => {
  const root = mkdtempSync(join(tmpdir(), 'crossfade-links-'))
  const native = join(root, 'native')
  mkdirSync(join(native, 'lib'), { recursive: true })
  writeFileSync(join(native, 'lib', 'libpq.so.5.18'), '')
  const links = ['libpq.so', 'libpq.so.5'].map((name) => ({
    source: 'native/lib/libpq.so.5.18',
    target: `native/lib/${name}`,
  }))
  writeFileSync(join(native, 'pg-symlinks.json'), JSON.stringify(links))
  hydrateSymlinks(native)
  hydrateSymlinks(native)
  assert.equal(readlinkSync(join(native, 'lib', 'libpq.so')), 'libpq.so.5.18')
  assert.equal(readlinkSync(join(native, 'lib', 'libpq.so.5')), 'libpq.so.5.18')
  rmSync(root, { recursive: true })
})
