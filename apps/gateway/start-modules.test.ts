// What a start loads is most of the time until it serves. This holds it to what answers the first request.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'

/** Loaded when they are first needed: with a call, a scrape, a renewal, a migration, a remote server, or the API. */
const later = [
  '@modelcontextprotocol/client',
  '@opentelemetry/api',
  'ajv',
  'better-auth',
  'fastify',
  'jose',
  'node-pg-migrate',
  'oauth4webapi',
  'prom-client',
  'typebox',
  'undici',
]

const script = `
  import { registerHooks } from 'node:module'
  const seen = new Set()
  registerHooks({
    load(url, context, next) {
      const name = /.*node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url)?.[1]
      if (name !== undefined) seen.add(name)
      return next(url, context)
    },
  })
  for (const file of process.argv.slice(1)) await import(file)
  console.log(JSON.stringify([...seen]))`

test('SI-11 a start loads no library that only a call, a scrape, a renewal, a remote server or the API needs', async () => {
  const files = ['serve.ts', 'worker.ts', join('..', 'cli', 'commands', 'mcp', 'serve.ts')]
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--disable-warning=ExperimentalWarning',
    '--input-type=module',
    '-e',
    script,
    ...files.map((file) => join(import.meta.dirname, file)),
  ])
  const loaded = new Set(JSON.parse(stdout) as string[])
  assert.ok(loaded.has('pg'), 'the hook sees what is loaded')
  assert.deepEqual(
    later.filter((name) => loaded.has(name)),
    [],
  )
})
