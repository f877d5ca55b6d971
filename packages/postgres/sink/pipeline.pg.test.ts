import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { freshDatabase, sharedTestCluster, type TestDatabase } from '@crossfade/embedded/testing.ts'
import pg from 'pg'
import { Pipeline, StepError } from './pipeline.ts'

let database: TestDatabase
let client: pg.Client
let pipeline: Pipeline

before(async () => {
  database = await freshDatabase(await sharedTestCluster(), 'pipeline')
  client = new pg.Client({ connectionString: database.url })
  client.on('error', () => {})
  await client.connect()
  await client.query('CREATE TABLE t (id int PRIMARY KEY, name text)')
  pipeline = new Pipeline(client)
})
after(async () => {
  await client.end()
  await database.drop()
})

function copyRow(id: number, name: string): void {
  const writer = pipeline.startCopy('COPY t FROM STDIN')
  writer.text(`${id}\t${name}\n`)
  pipeline.copyRowWritten()
  pipeline.endCopy()
}

test('statements, parameters in both formats and COPY go out in one round trip and are answered in order', async () => {
  const key = Buffer.alloc(4)
  key.writeInt32BE(7)
  pipeline.execute('BEGIN')
  copyRow(1, 'one')
  pipeline.execute('INSERT INTO t VALUES ($1, $2)', [key, 'seven'])
  pipeline.execute('INSERT INTO t VALUES ($1, $2)', [Buffer.from([0, 0, 0, 8]), null])
  pipeline.execute('SELECT * FROM t ORDER BY id')
  pipeline.execute('COMMIT')
  const results = await pipeline.run()
  assert.deepEqual(
    results.map((result) => result.count),
    [0, 1, 1, 1, 3, 0],
  )
  assert.deepEqual(results[4]!.rows, [
    ['1', 'one'],
    ['7', 'seven'],
    ['8', null],
  ])
})

test('an error names its step, nothing after it is carried out, and the session can be used again', async () => {
  pipeline.execute('BEGIN')
  copyRow(1, 'again')
  pipeline.execute('INSERT INTO t VALUES ($1, $2)', ['100', 'never'])
  copyRow(101, 'never')
  const error = await pipeline.run().then(
    () => null,
    (thrown: unknown) => thrown as StepError,
  )
  assert.ok(error instanceof StepError)
  assert.equal(error.step, 1)
  assert.equal(error.code, '23505')
  pipeline.execute('ROLLBACK')
  pipeline.execute('SELECT count(*) FROM t')
  assert.equal((await pipeline.run())[1]!.rows[0]![0], '3')
})

test('a statement that could not be parsed is parsed anew the next time', async () => {
  pipeline.execute('SELECT count(*) FROM later')
  await assert.rejects(pipeline.run(), { step: 0, code: '42P01' })
  await client.query('CREATE TABLE later ()')
  pipeline.execute('SELECT count(*) FROM later')
  assert.equal((await pipeline.run())[0]!.rows[0]![0], '0')
})

test('large copies are cut into messages', async () => {
  pipeline.execute('BEGIN')
  const writer = pipeline.startCopy('COPY t FROM STDIN')
  for (let id = 1000; id < 4000; id += 1) {
    writer.text(`${id}\t${'x'.repeat(100)}\n`)
    pipeline.copyRowWritten()
  }
  const copy = pipeline.endCopy()
  pipeline.execute('ROLLBACK')
  assert.equal((await pipeline.run())[copy]!.count, 3000)
})

test('a connection that breaks rejects, also when it is noticed later', async () => {
  const other = new pg.Client({ connectionString: database.url })
  other.on('error', () => {})
  await other.connect()
  const broken = new Pipeline(other)
  broken.execute('SELECT pg_terminate_backend(pg_backend_pid())')
  await assert.rejects(broken.run(), StepError)
  broken.execute('SELECT 1')
  await assert.rejects(broken.run(), StepError)
})

test('a run before the answers of the last one have come is refused, and the first is not disturbed', async () => {
  pipeline.execute('SELECT pg_sleep(0.05), 1')
  const first = pipeline.run()
  await assert.rejects(pipeline.run(), /before it was answered/)
  assert.deepEqual((await first)[0]!.rows, [['', '1']])
})
