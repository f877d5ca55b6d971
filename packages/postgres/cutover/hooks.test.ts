import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import type { Failure } from '@crossfade/model/failure.ts'
import { asEpoch, asMigrationId, asShardId } from '@crossfade/model/ids.ts'
import type { CutoverHook } from '@crossfade/pipeline/resolved-plan.ts'
import { testPlan } from '../testing/plan.ts'
import { type HookContext, runHooks } from './hooks.ts'
import { switchText } from './pgbouncer-config.ts'

const a = asShardId('source/a')
const migration = asMigrationId('mig_0123456789ab')
const address = { host: 'new.example', port: 6543, database: 'my new' }

function context(hooks: readonly CutoverHook[]): HookContext {
  const side = (shard: string) => ({
    topology: { kind: 'single', shard: asShardId(shard) } as const,
    urls: { [shard]: 'postgres://u@127.0.0.1/d' },
  })
  const plan = testPlan({ source: side(a), target: side('target/x'), tables: [], cutover: { hooks } })
  const secrets = { environment: { TOKEN: 'hunter2' }, readFile: () => '' }
  return { plan, migration, from: 'source', to: 'target', units: [a], epoch: asEpoch(4), secrets }
}

test('the entry of [databases] is switched, and comes back word for word', () => {
  const before = [
    '[databases]',
    '; app = host=comment',
    `app = host=old port=1 dbname=d  pool_size=5 connect_query='select ''a=b'''`,
    '"my app"=host=old',
    '* = host=any',
    '[pgbouncer]',
    'app = 1',
  ].join('\n')
  const entries = new Map([
    ['app', () => address],
    ['my app', () => address],
  ])
  const after = switchText(before, migration, 'target', entries)
  assert.ok(
    after.includes(`\napp = host=new.example port=6543 dbname='my new' pool_size=5 connect_query='select ''a=b'''\n`),
    after,
  )
  assert.ok(after.includes(`\n"my app"= host=new.example port=6543 dbname='my new'\n`), after)
  assert.ok(after.includes('\n* = host=any\n[pgbouncer]\napp = 1'))
  assert.equal(switchText(after, migration, 'target', entries), after, 'idempotent')
  const never = () => assert.fail('the remembered line is used')
  const back = switchText(
    after,
    migration,
    'source',
    new Map([
      ['app', never],
      ['my app', never],
    ]),
  )
  assert.equal(
    back
      .split('\n')
      .filter((line) => !line.startsWith(';crossfade'))
      .join('\n'),
    before,
  )
  assert.equal(
    switchText(back, migration, 'target', entries)
      .split('\n')
      .filter((line) => line.startsWith(';crossfade')).length,
    2,
  )
  assert.throws(() => switchText(before, migration, 'target', new Map([['absent', () => address]])), /no entry absent/)
})

test('a webhook gets the moment, the token and a key for repeats; anything but 2xx is CF5112', async (t) => {
  const seen: { headers: Record<string, unknown>; body: unknown }[] = []
  let status = 204
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      seen.push({ headers: request.headers, body: JSON.parse(body) })
      if (status === 0) return
      response.writeHead(status).end(status === 500 ? 'no thanks' : undefined)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?secret=1`
  const hook = {
    kind: 'webhook',
    url,
    secret: { from: 'environment', variable: 'TOKEN', holds: 'password' },
    timeoutMs: 20_000,
  } as const
  await runHooks('before', context([hook]))
  assert.deepEqual(seen[0]!.body, {
    event: 'cutover.before',
    migration,
    from: 'source',
    to: 'target',
    units: [a],
    epoch: 4,
  })
  assert.equal(seen[0]!.headers['authorization'], 'Bearer hunter2')
  assert.equal(seen[0]!.headers['idempotency-key'], `${migration}-4-before`)
  status = 500
  const failed = (reason: RegExp) => (error: Failure) => {
    assert.equal(error.code, 'CF5112')
    assert.match(error.message, reason)
    assert.ok(!error.message.includes('hunter2') && !error.message.includes('secret=1'), 'no secret in the error')
    return true
  }
  await assert.rejects(runHooks('after', context([hook])), failed(/status 500 no thanks/))
  status = 0
  await assert.rejects(runHooks('after', context([{ ...hook, timeoutMs: 200 }])), failed(/no answer within 200 ms/))
  server.closeAllConnections()
  server.close()
  await assert.rejects(runHooks('after', context([hook])), failed(/ECONNREFUSED/))
})

test('a command learns the moment; exit codes, absence and delay are CF5113', async () => {
  const command = (parameters: readonly string[], timeoutMs = 5_000): CutoverHook => ({
    kind: 'command',
    command: parameters,
    timeoutMs,
  })
  await runHooks(
    'before',
    context([
      command([
        'sh',
        '-c',
        'test "$CROSSFADE_MOMENT $CROSSFADE_TO $CROSSFADE_UNITS $CROSSFADE_EPOCH" = "before target source/a 4"',
      ]),
    ]),
  )
  const failed = (reason: RegExp) => (error: Failure) => error.code === 'CF5113' && reason.test(error.message)
  await assert.rejects(
    runHooks('after', context([command(['sh', '-c', 'echo oops >&2; exit 3'])])),
    failed(/exit code 3: oops/),
  )
  await assert.rejects(runHooks('after', context([command(['/no/such/program'])])), failed(/ENOENT/))
  await assert.rejects(
    runHooks('after', context([command(['sh', '-c', 'trap "" TERM; sleep 30'], 50)])),
    failed(/more than 50 ms/),
  )
})

test('`undone` tells all hooks, the last first, whatever one of them says', async () => {
  const { mkdtemp, readFile, rm } = await import('node:fs/promises')
  const directory = await mkdtemp('/tmp/crossfade-hooks-')
  const note = (text: string, code: number): CutoverHook => ({
    kind: 'command',
    command: ['sh', '-c', `echo ${text} >> ${directory}/log; exit ${code}`],
    timeoutMs: 5_000,
  })
  await assert.rejects(
    runHooks('undone', context([note('first', 0), note('second', 1), note('third', 0)])),
    /second|exit code 1/,
  )
  assert.equal(await readFile(`${directory}/log`, 'utf8'), 'third\nsecond\nfirst\n')
  await assert.rejects(runHooks('before', context([note('a', 1), note('b', 0)])))
  assert.ok((await readFile(`${directory}/log`, 'utf8')).endsWith('first\na\n'))
  await rm(directory, { recursive: true })
})
