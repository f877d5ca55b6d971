import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { entry } from '@crossfade/engine/entries.ts'
import { fail } from '@crossfade/model/failure.ts'
import type { MigrationId } from '@crossfade/model/ids.ts'
import type { InjectOptions } from 'fastify'
import { Check, Errors } from 'typebox/schema'
import type { Problem } from './contract/vocabulary.ts'
import {
  manualGate,
  sampleFinding,
  sampleMigration,
  sampleMismatches,
  samplePlan,
  sampleReport,
  type TestServer,
  testServer,
} from './testing.ts'

interface Operation {
  readonly operationId: string
  readonly responses: Record<string, { readonly content?: Record<string, { readonly schema: object }> }>
}
interface Description {
  readonly paths: Record<string, Record<string, Operation>>
  readonly components: object
}

let server: TestServer
let id: MigrationId
before(async () => {
  server = await testServer()
  id = await sampleMigration(server)
  await server.app.ready()
})
after(() => server.close())

const ask = (options: InjectOptions) =>
  server.app.inject({ ...options, headers: { ...server.headers.admin, ...options.headers } })

/** How each operation is asked, and what the service says to the same question; commands come last, since they change things. */
const questions: Record<
  string,
  { readonly ask?: Omit<InjectOptions, 'url' | 'method'>; readonly same?: () => Promise<unknown> }
> = {
  listMigrations: { same: () => server.service.list() },
  getMigration: { same: () => server.service.get(id) },
  listChunks: { same: () => server.service.chunks(id) },
  listTasks: { same: () => server.service.tasks(id) },
  getRouting: { same: () => server.service.routing(id) },
  listWorkers: { same: () => server.service.workers() },
  listHistory: { same: () => server.service.history(id) },
  listReports: { same: async () => [sampleReport] },
  getReport: { same: async () => sampleReport },
  listMismatches: { same: async () => sampleMismatches },
  listSamples: {
    ask: { query: { names: 'copy.bytesPerSecond,lagMs.source/a', since: '0' } },
    same: () => server.service.samples(id, ['copy.bytesPerSecond', 'lagMs.source/a'], { since: 0 }),
  },
  getLastPlan: { ask: { query: { name: 'messaging' } }, same: async () => samplePlan() },
  resolvePlan: { ask: { payload: { plan: 'other' } }, same: async () => samplePlan('other') },
  doctorPlan: { ask: { payload: { plan: 'other' } }, same: async () => [sampleFinding] },
  getSession: { same: async () => ({ name: 'admin', role: 'admin' }) },
  live: { same: async () => ({ status: 'ok' }) },
  ready: {},
  applyPlan: { ask: { payload: { plan: 'applied', to: 'shadow' } } },
  pause: {},
  resume: {},
  verify: { ask: { payload: { repair: false } } },
  approveGate: { ask: { payload: { approved: true } } },
  advance: { ask: { payload: { to: 'live' } } },
  retreat: { ask: { payload: { to: 'dualwrite' } } },
  abort: {},
}

test('every operation answers with everything the engine says, in the shape it documents', async () => {
  const description = server.app.swagger() as unknown as Description
  const operations = Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase() as 'GET', operation })),
  )
  const asked = new Set<string>()
  for (const operationId of Object.keys(questions)) {
    const found = operations.find(({ operation }) => operation.operationId === operationId)
    assert.ok(found, `${operationId} is not an operation of the API`)
    const { path, method, operation } = found
    const url = path.replace('{id}', id).replace('{report}', sampleReport.id).replace('{gate}', manualGate.name)
    const question = questions[operationId]!
    const answer = await ask({ method, url, ...question.ask })
    const status = String(answer.statusCode)
    const schema = operation.responses[status]?.content?.['application/json']?.schema
    assert.ok(schema && status.startsWith('2'), `${operationId} answered ${status}: ${answer.body}`)
    const body: unknown = answer.json()
    const whole = { ...schema, components: description.components }
    assert.ok(Check(whole, body), `${operationId}: ${JSON.stringify(Errors(whole, body)[1].slice(0, 3))}`)
    // A serialiser that leaves out what its schema does not name would pass the check above.
    if (question.same)
      assert.deepEqual(withoutClock(body), withoutClock(JSON.parse(JSON.stringify(await question.same()))), operationId)
    asked.add(operationId)
  }
  const streamsAndTexts = ['streamEvents', 'streamMigrationEvents', 'streamRouting', 'metrics']
  const rest = operations.map(({ operation }) => operation.operationId).filter((each) => !asked.has(each))
  assert.deepEqual(rest.sort(), streamsAndTexts.sort(), 'an operation is neither asked above nor in another test')
})

/** What depends on the moment of the question. */
function withoutClock(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, part) => (key === 'alive' || key === 'seenAt' ? undefined : part)))
}

suite('the fast serialiser carries every value', () => {
  test('keys that are no identifiers, NULL, and names that objects have of their own', async () => {
    const answer = await ask({ url: `/api/v1/migrations/${id}/mismatches` })
    const [first, second] = answer.json<typeof sampleMismatches>()
    assert.deepEqual(first?.key, { id: '17', 'odd "name"\nof a column': null })
    assert.deepEqual(Object.entries(second!.key), [['constructor', 'x']])
  })
  test('the parts of a cutover, the authority of units, the body of journal entries', async () => {
    const detail = (await ask({ url: `/api/v1/migrations/${id}` })).json()
    assert.deepEqual(detail.cutovers[0].parts, { fence: 11.5, drain: 200 })
    assert.deepEqual(detail.routing.authority, { 'source/a': 'source', 'source/b': 'source' })
    assert.deepEqual(detail.routing.source, samplePlan().source.topology)
    assert.deepEqual(detail.plan, samplePlan())
    const history = (await ask({ url: `/api/v1/migrations/${id}/history?after=0&limit=1` })).json()
    assert.equal(history[0].body.routing.epoch, 1)
  })
  test('the progress of tasks: numbers, text and null', async () => {
    const tasks = (await ask({ url: `/api/v1/migrations/${id}/tasks` })).json<{ name: string; progress: object }[]>()
    assert.deepEqual(tasks.find((task) => task.name === 'stream:source/a')?.progress, { phase: 'following' })
    assert.ok(tasks.some((task) => 'note' in task.progress && task.progress.note === null))
  })
})

suite('what is wrong is answered with a problem: code, sentence, remedy, retry', () => {
  const big = 'x'.repeat(9 * 1024 * 1024)
  const commands = `/api/v1/migrations/ID`
  const wrong: readonly (readonly [string, InjectOptions, number, string])[] = [
    ['an unknown migration', { url: '/api/v1/migrations/mig_000000000000' }, 404, 'CF6001'],
    ['its history', { url: '/api/v1/migrations/mig_000000000000/history' }, 404, 'CF6001'],
    ['its events', { url: '/api/v1/migrations/mig_000000000000/events' }, 404, 'CF6001'],
    ['its routing events', { url: '/api/v1/migrations/mig_000000000000/routing/events' }, 404, 'CF6001'],
    ['a command to it', { method: 'POST', url: '/api/v1/migrations/mig_000000000000/pause' }, 404, 'CF6001'],
    ['an id that is none', { url: '/api/v1/migrations/1;drop table' }, 400, 'CF7205'],
    ['an unknown report', { url: `${commands}/reports/ver_0` }, 404, 'CF6010'],
    ['an unknown plan name', { url: '/api/v1/plans/last?name=nobody' }, 404, 'CF6001'],
    ['an unknown path', { url: '/api/v1/nothing?token=secret' }, 404, 'CF7206'],
    ['a wrong method', { method: 'DELETE', url: commands }, 404, 'CF7206'],
    ['a stage that is none', { method: 'POST', url: `${commands}/advance`, payload: { to: 'moon' } }, 400, 'CF7205'],
    [
      'a body of the wrong type',
      { method: 'POST', url: `${commands}/verify`, payload: { repair: 'perhaps' } },
      400,
      'CF7205',
    ],
    [
      'a body that is no object',
      { method: 'POST', url: `${commands}/advance`, payload: '[1]', headers: { 'content-type': 'application/json' } },
      400,
      'CF7205',
    ],
    ['a body that is missing', { method: 'POST', url: '/api/v1/migrations' }, 400, 'CF7205'],
    ['a plan that is empty', { method: 'POST', url: '/api/v1/plans/resolve', payload: { plan: '' } }, 400, 'CF7205'],
    [
      'a body that is no JSON',
      {
        method: 'POST',
        url: `${commands}/advance`,
        payload: '{"to":',
        headers: { 'content-type': 'application/json' },
      },
      400,
      'CF7205',
    ],
    [
      'a body that is empty',
      { method: 'POST', url: `${commands}/advance`, payload: '', headers: { 'content-type': 'application/json' } },
      400,
      'CF7205',
    ],
    [
      'a prototype in the body',
      {
        method: 'POST',
        url: `${commands}/advance`,
        payload: '{"__proto__":{"to":"live"}}',
        headers: { 'content-type': 'application/json' },
      },
      400,
      'CF7205',
    ],
    [
      'another content type',
      { method: 'POST', url: '/api/v1/plans/resolve', payload: '<plan/>', headers: { 'content-type': 'text/xml' } },
      415,
      'CF7205',
    ],
    ['a huge body', { method: 'POST', url: '/api/v1/plans/resolve', payload: { plan: big } }, 413, 'CF7205'],
    ['a limit over the limit', { url: `${commands}/history?limit=100000` }, 400, 'CF7205'],
    ['a position before the first', { url: `${commands}/history?after=-1` }, 400, 'CF7205'],
    ['a number that is none', { url: `${commands}/samples?names=a&since=yesterday` }, 400, 'CF7205'],
    ['a question without its subject', { url: `${commands}/samples?since=0` }, 400, 'CF7205'],
    ['a wait that is too long', { url: `${commands}/routing?after=9&waitMs=999999` }, 400, 'CF7205'],
    [
      'a key that is too long',
      { method: 'POST', url: `${commands}/pause`, headers: { 'idempotency-key': 'x'.repeat(201) } },
      400,
      'CF7205',
    ],
    [
      'a gate that is none',
      { method: 'PUT', url: `${commands}/gates/other/approval`, payload: { approved: true } },
      409,
      'CF6002',
    ],
    ['a path that cannot be decoded', { url: '/api/v1/migrations/%E0%A4%A' }, 400, 'CF7205'],
  ]
  for (const [what, options, status, code] of wrong) {
    test(`${what}: ${status} ${code}`, async () => {
      const answer = await ask({ ...options, url: (options.url as string).replace('ID', id) })
      const problem = answer.json<Problem>()
      assert.deepEqual([answer.statusCode, problem.code], [status, code], answer.body)
      assert.ok(problem.message.length > 10 && problem.remedy.length > 10)
      assert.equal(typeof problem.retry, 'boolean')
      assert.deepEqual(Object.keys(problem).sort(), ['code', 'message', 'remedy', 'retry'])
      assert.ok(!answer.body.includes('secret'))
      assert.match(String(answer.headers['content-type']), /^application\/json/)
    })
  }
})

suite('failures behind the API', () => {
  const cases = [
    ['the control database is away', () => fail('CF6003', { reason: 'connection refused' }), 503, 'CF6003', true],
    ['a plan is wrong', () => fail('CF1001', {}), 422, 'CF1001', false],
    ['a bug of ours', () => new TypeError('x is not a function at postgres://u:hunter2@db'), 500, 'CF9001', false],
  ] as const
  for (const [what, error, status, code, retry] of cases) {
    test(`${what}: ${status} ${code}, and nothing of the cause`, async () => {
      const broken = await testServer()
      broken.service.list = async () => {
        throw error()
      }
      const answer = await broken.app.inject({ url: '/api/v1/migrations', headers: broken.headers.viewer })
      await broken.close()
      const problem = answer.json<Problem>()
      assert.deepEqual([answer.statusCode, problem.code, problem.retry], [status, code, retry])
      assert.ok(!answer.body.includes('hunter2') && !answer.body.includes(' at '))
    })
  }
})

suite('idempotency', () => {
  test('a command with a key takes effect once per caller, however often it is sent', async () => {
    const own = await testServer()
    const one = await sampleMigration(own)
    const approve = (key: string) =>
      own.app.inject({
        method: 'PUT',
        url: `/api/v1/migrations/${one}/gates/release/approval`,
        headers: { ...own.headers.admin, 'idempotency-key': key },
        payload: { approved: true },
      })
    const count = async () => (await own.service.history(one)).filter((entry) => entry.kind === 'approved').length
    for (let round = 0; round < 3; round += 1) assert.equal((await approve('k1')).statusCode, 202)
    assert.equal(await count(), 1)
    await approve('k2')
    assert.equal(await count(), 2)
    await own.close()
  })

  test('a command that is sent again after the migration is over gets its first answer', async () => {
    const own = await testServer()
    const one = await sampleMigration(own)
    const send = (command: string, key: string) =>
      own.app.inject({
        method: 'POST',
        url: `/api/v1/migrations/${one}/${command}`,
        headers: { ...own.headers.admin, 'idempotency-key': key },
      })
    const first = await send('abort', 'k1')
    assert.equal(first.statusCode, 202)
    await own.store.journal.append(one, [entry('aborted', {})], { ends: true })
    const again = await send('abort', 'k1')
    assert.deepEqual([again.statusCode, again.json()], [202, first.json()])
    assert.equal((await send('abort', 'k2')).statusCode, 409)
    assert.equal((await send('pause', 'k1')).statusCode, 409)
    await own.close()
  })
})

test('DM-03: a repair that is asked for while a plain verification waits is not taken for it', async () => {
  const own = await testServer()
  const one = await sampleMigration(own)
  const verify = async (repair: boolean) =>
    own.app.inject({
      method: 'POST',
      url: `/api/v1/migrations/${one}/verify`,
      headers: own.headers.operator,
      payload: { repair },
    })
  await verify(false)
  await verify(true)
  await verify(false)
  const requests = (await own.service.history(one)).filter((entry) => entry.kind === 'verification-requested')
  assert.deepEqual(
    requests.map((entry) => (entry.body as { run: { repair: boolean } }).run.repair),
    [true, false],
  )
  await own.close()
})
