// The worker as a process manager starts it, with arguments that somebody got wrong. No database is needed to say so.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Failure } from '@crossfade/model/failure.ts'
import { workerArguments } from './worker-arguments.ts'

const directory = mkdtempSync(join(tmpdir(), 'crossfade-worker-'))
after(() => rmSync(directory, { recursive: true, force: true }))

function start(...args: string[]): Promise<{ code: number; stderr: string }> {
  const script = join(import.meta.dirname, 'worker-main.ts')
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', script, ...args],
      { cwd: directory, env: { ...process.env, CROSSFADE_MCP_DATABASE_URL: 'postgresql://127.0.0.1:1/none' } },
      (error, _stdout, stderr) => resolve({ code: Number(error?.code ?? 0), stderr }),
    )
  })
}

test('SI-11 a worker for a service that there is not says so, with the names that may be meant', async () => {
  const { code, stderr } = await start('--port', '0', '--service', 'githubb')
  assert.equal(code, 1)
  assert.match(stderr, /^CF14019 There is no service githubb .*Did you mean github\b/)
  assert.match(stderr, /→ .*crossfade mcp ecosystem/)
})

test('SI-11 a worker without a port, with a wrong one, or with an option that there is not, says so', async () => {
  const isCoded = (error: unknown) => error instanceof Failure && error.code === 'CF14020'
  for (const args of [['--shared'], ['--port', 'seventy'], ['--port', '70000'], ['--port', '1', '--sevice', 'figma']]) {
    assert.throws(() => workerArguments(args), isCoded, args.join(' '))
  }
  assert.deepEqual(workerArguments(['--service', 'figma', '--port', '49160']), {
    port: 49_160,
    shared: false,
    onlyService: 'figma',
  })
  const { code, stderr } = await start('--sevice', 'figma')
  assert.equal(code, 1)
  assert.match(stderr, /^CF14020 .*--sevice/)
})

test('a worker whose database does not answer says so', async () => {
  const { code, stderr } = await start('--port', '0')
  assert.equal(code, 1)
  assert.match(stderr, /^CF12502 /)
})
