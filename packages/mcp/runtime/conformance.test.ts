// The protocol's own suite against the runtime: what a revision requires passes, and what it only tries is told.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import {
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  validateHostHeader,
  validateOriginHeader,
} from '@modelcontextprotocol/server'
import { everything } from '../everything/everything.ts'
import { createMcpRuntime } from './create-runtime.ts'
import {
  answeringCaller,
  keepingUsage,
  openLimits,
  type RuntimeServer,
  sampleInstance,
  sampleService,
  serveRuntime,
} from './testing.ts'

const suite = join(
  dirname(createRequire(import.meta.url).resolve('@modelcontextprotocol/conformance/package.json')),
  'dist/index.js',
)
const sample = sampleService([], [], 'everything')
const service = { ...sample, config: { ...sample.config, source: { kind: 'built-in', server: 'everything' } as const } }
let server: RuntimeServer

before(async () => {
  const runtime = createMcpRuntime({
    caller: answeringCaller(),
    usage: keepingUsage(),
    limits: openLimits(),
    builtIn: (builtIn) => everything(builtIn),
  })
  const instance = sampleInstance(service)
  server = await serveRuntime(runtime, (request, response) => {
    const isOurs =
      validateHostHeader(request.headers.host, localhostAllowedHostnames()).ok &&
      validateOriginHeader(request.headers.origin, localhostAllowedOrigins()).ok
    if (isOurs) return instance
    response.writeHead(403).end()
    return null
  })
})
after(() => server.close())

for (const revision of ['2026-07-28', '2025-11-25']) {
  test(`SI-02 every scenario that revision ${revision} requires passes`, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'crossfade-conformance-'))
    try {
      const { code, output } = await run(revision, directory)
      const summary = output.slice(output.lastIndexOf('=== SUMMARY'))
      if (code !== 0 || process.env['CROSSFADE_CONFORMANCE'] !== undefined) console.log(output)
      assert.equal(code, 0, summary)
      console.log(summary)
    } finally {
      await rm(directory, { recursive: true })
    }
  })
}

/** The suite leaves its results in the directory it runs in. */
function run(revision: string, directory: string): Promise<{ readonly code: number; readonly output: string }> {
  return new Promise((resolve) => {
    const given = [suite, 'server', '--url', server.url, '--requirements', revision]
    execFile(process.execPath, given, { cwd: directory, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), output: stdout + stderr })
    })
  })
}
