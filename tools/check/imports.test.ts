import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { checkImports, unitOf } from './imports.ts'
import { importsOf } from './modules.ts'

const roots: string[] = []
after(() => {
  for (const root of roots) rmSync(root, { recursive: true })
})

/** Checks a project made of these files beside the manifests every one has. */
function check(files: Record<string, string>): string[] {
  const root = mkdtempSync(join(tmpdir(), 'crossfade-imports-'))
  roots.push(root)
  const all: Record<string, string> = {
    'package.json': JSON.stringify({ name: 'root', devDependencies: { 'fast-check': '1' } }),
    'packages/model/package.json': JSON.stringify({ name: '@crossfade/model' }),
    'packages/routing/package.json': JSON.stringify({
      name: '@crossfade/routing',
      dependencies: { '@crossfade/model': '1' },
    }),
    'packages/embedded/package.json': JSON.stringify({ name: '@crossfade/embedded', dependencies: { pg: '1' } }),
    'packages/model/lsn.ts': 'export const lsn = 1',
    'packages/embedded/cluster.ts': 'export const cluster = 1',
    ...files,
  }
  for (const [path, text] of Object.entries(all)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return checkImports(root, Object.keys(all)).map(({ place, reason }) => `${place}: ${reason}`)
}

test('an import downwards is allowed', () => {
  assert.deepEqual(check({ 'packages/routing/a.ts': "import { lsn } from '@crossfade/model/lsn.ts'\nlsn" }), [])
})

test('an import upwards is not, nor is a type, a dynamic import or a re-export', () => {
  const up = { 'packages/routing/b.ts': 'export const b = 1' }
  for (const text of [
    "import { b } from '@crossfade/routing/b.ts'\nb",
    "import type { b } from '@crossfade/routing/b.ts'\ntype B = typeof b",
    "await import('@crossfade/routing/b.ts')",
    "export { b } from '@crossfade/routing/b.ts'",
  ]) {
    const findings = check({ ...up, 'packages/model/a.ts': text })
    assert.deepEqual(findings, ['packages/model/a.ts:1: packages/model must not import packages/routing'], text)
  }
})

test('an app may not import another, but for the command line and the server', () => {
  const manifests = {
    'apps/cli/package.json': JSON.stringify({ name: 'crossfade', dependencies: { '@crossfade/server': '1' } }),
    'apps/server/package.json': JSON.stringify({ name: '@crossfade/server', dependencies: { crossfade: '1' } }),
    'apps/cli/main.ts': "import { server } from '@crossfade/server/server.ts'\nserver",
    'apps/server/server.ts': 'export const server = 1',
  }
  assert.deepEqual(check(manifests), [])
  assert.deepEqual(check({ ...manifests, 'apps/server/other.ts': "import 'crossfade/main.ts'" }), [
    'apps/server/other.ts:1: apps/server must not import apps/cli',
  ])
})

test('a relative path may not leave its package', () => {
  assert.deepEqual(check({ 'packages/routing/deep/a.ts': "import '../../model/lsn.ts'" }), [
    'packages/routing/deep/a.ts:1: ../../model/lsn.ts leaves packages/routing; import it by its package name',
  ])
})

test('tests may use real servers and what the workspace is developed with; code may not', () => {
  const text = "import '@crossfade/embedded/cluster.ts'\nimport 'fast-check'"
  assert.deepEqual(check({ 'packages/routing/a.pg.test.ts': text }), [])
  assert.deepEqual(check({ 'packages/routing/a.ts': text }), [
    'packages/routing/a.ts:1: packages/routing must not import packages/embedded',
    'packages/routing/a.ts:2: fast-check is not among the dependencies of packages/routing/package.json',
  ])
})

test('a dependency of another package is not a dependency', () => {
  assert.deepEqual(check({ 'packages/routing/a.ts': "import pg from 'pg'\npg" }), [
    'packages/routing/a.ts:1: pg is not among the dependencies of packages/routing/package.json',
  ])
})

test('an import of a file that does not exist is found', () => {
  assert.deepEqual(check({ 'packages/routing/a.ts': "import '@crossfade/model/gone.ts'" }), [
    'packages/routing/a.ts:1: @crossfade/model/gone.ts does not exist',
  ])
})

test('a barrel is found', () => {
  assert.deepEqual(check({ 'packages/model/all.ts': "\nexport * from './lsn.ts'" }), [
    "packages/model/all.ts:2: export * from './lsn.ts' drags a module in whole; export names",
  ])
})

test('a cycle of files is found once, whichever way it is entered', () => {
  const findings = check({
    'packages/model/a.ts': "import './b.ts'",
    'packages/model/b.ts': "import './c.ts'",
    'packages/model/c.ts': "import './a.ts'",
    'packages/model/d.ts': "import './c.ts'",
  })
  assert.deepEqual(findings, [
    'packages/model/a.ts: a cycle of imports: packages/model/a.ts → packages/model/b.ts → packages/model/c.ts → packages/model/a.ts',
  ])
})

test('a cycle of types alone is none', () => {
  assert.deepEqual(
    check({ 'packages/model/a.ts': "import './b.ts'", 'packages/model/b.ts': "import type { a } from './a.ts'" }),
    [],
  )
})

test('the console may know shapes, not code', () => {
  const manifest = { 'apps/console/package.json': JSON.stringify({ name: '@crossfade/console' }) }
  const types = "import type { lsn } from '@crossfade/model/lsn.ts'"
  assert.deepEqual(check({ ...manifest, 'apps/console/a.ts': types }), [])
  const code = "import { lsn, type other } from '@crossfade/model/lsn.ts'"
  assert.deepEqual(check({ ...manifest, 'apps/console/a.ts': code }), [
    'apps/console/a.ts:1: apps/console must not import packages/model',
  ])
})

test('imports inside comments and strings are not imports; a file that does not parse is named', () => {
  assert.deepEqual(importsOf('a.ts', "// import 'x'\nconst text = \"import 'y'\"\nexport { text }"), [])
  assert.throws(() => importsOf('broken.ts', 'import {'), /broken\.ts/)
})

test('the unit of a file', () => {
  assert.equal(unitOf('packages/model/lsn.ts'), 'packages/model')
  assert.equal(unitOf('tools/check/run.ts'), 'tools')
})
