import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { Report } from './report.ts'
import { runInSharedProcess } from './shared-process.ts'

/** The lines that a run of this test file ends with. */
async function closingLines(source: string, slowest = 0): Promise<string[]> {
  const root = mkdtempSync(join(tmpdir(), 'crossfade-report-'))
  try {
    const file = join(root, 'some.test.ts')
    writeFileSync(
      file,
      `import assert from 'node:assert/strict'\nimport { describe, test } from 'node:test'\n${source}`,
    )
    const output = new PassThrough()
    const written = text(output)
    const report = new Report(output)
    await report.follow(runInSharedProcess([file], { cwd: root, timeoutMs: 60_000 }))
    await report.close({ pure: 1, database: 0 }, { root, seed: 77, slowest })
    output.end()
    const lines = (await written).trimEnd().split('\n')
    return lines.slice(lines.findIndex((line) => line.startsWith('ℹ duration_ms')) + 1)
  } finally {
    rmSync(root, { recursive: true })
  }
}

test('the last lines of a run name each test that failed, and the command with the seed that repeats it', async () => {
  const lines = await closingLines(`
describe('a suite', () => {
      test('passes', (context) => context.diagnostic('CROSSFADE_SEED=1'))
      test('fails with much to say', () => assert.deepEqual(Array(5_000).fill('long'), []))
      test('says its seed', (context) => { context.diagnostic('CROSSFADE_SEED=2'); assert.fail() })
      test('says its seed in what it asserts', () => assert.equal(1, 2, 'CROSSFADE_SEED=3, request 8'))
      test('is named by its seed (seed 4)', () => { throw new Error('lost') })
      test('is to do', { todo: true }, () => { throw new Error('one day') })
    })
    test('one that throws no error', () => { throw 'plain text' })`)
  assert.deepEqual(lines, [
    '✖ some.test.ts:6  fails with much to say',
    '    CROSSFADE_SEED=77 npm test -- some.test.ts',
    '✖ some.test.ts:7  says its seed',
    '    CROSSFADE_SEED=2 npm test -- some.test.ts',
    '✖ some.test.ts:8  says its seed in what it asserts',
    '    CROSSFADE_SEED=3 npm test -- some.test.ts',
    '✖ some.test.ts:9  is named by its seed (seed 4)',
    '    CROSSFADE_SEED=4 npm test -- some.test.ts',
    '✖ some.test.ts:12  one that throws no error',
    '    CROSSFADE_SEED=77 npm test -- some.test.ts',
    'crossfade tests: FAILED: 1 of 7 tests (1 files in one process, 0 in processes of their own)',
  ])
})

test('a process that ends before its tests do is told with the seed of the run', async () => {
  const lines = await closingLines(`test('leaves', () => process.exit(3))`)
  assert.match(lines.at(-3) ?? '', /^✖ the shared test process ended before its tests did \(exit code 3\)/)
  assert.equal(lines.at(-2), '    CROSSFADE_SEED=77 npm test --')
})

test('the files that took the longest are told to who asks', async () => {
  const lines = await closingLines(`test('waits', () => new Promise((resolve) => setTimeout(resolve, 120)))`, 1)
  assert.match(lines[0] ?? '', /^ +\d+\.\d s {2}some\.test\.ts$/)
  assert.equal(lines.length, 2)
})
