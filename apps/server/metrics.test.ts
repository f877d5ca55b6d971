import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { fail } from '@crossfade/model/failure.ts'
import { sampleMigration, type TestServer, testServer } from './testing.ts'

/** What dashboards and alert rules are built on. A name that is taken out breaks them. */
const documented = [
  'crossfade_migration_stage',
  'crossfade_migration_desired_stage',
  'crossfade_migration_stopped',
  'crossfade_migration_copied_ratio',
  'crossfade_migration_open_mismatches',
  'crossfade_migration_touched_keys',
  'crossfade_migration_throttle_paused',
  'crossfade_migration_copy_bytes_per_second',
  'crossfade_stream_lag_seconds',
  'crossfade_stream_lag_bytes',
  'crossfade_stream_rows_applied',
  'crossfade_shard_wal_held_bytes',
  'crossfade_shard_reachable',
  'crossfade_cutover_pause_seconds',
  'crossfade_workers_alive',
  'crossfade_scrape_failures_total',
  'crossfade_http_request_duration_seconds',
  'crossfade_process_resident_memory_bytes',
] as const

interface Figure {
  readonly name: string
  readonly labels: string
  readonly value: number
}

suite('metrics', () => {
  let server: TestServer
  let figures: readonly Figure[]
  let typed: ReadonlySet<string>
  before(async () => {
    server = await testServer()
    await sampleMigration(server, 'with "quotes"\nand lines')
    await server.app.inject({ url: '/api/v1/migrations', headers: server.headers.viewer })
    const answer = await server.app.inject({ url: '/metrics' })
    assert.match(String(answer.headers['content-type']), /^text\/plain; version=0\.0\.4/)
    figures = parse(answer.body)
    typed = new Set([...answer.body.matchAll(/^# TYPE (\S+) /gm)].map((match) => match[1]!))
  })
  after(() => server.close())

  test('every documented name is there, with its type', () => {
    assert.deepEqual(
      documented.filter((name) => !typed.has(name)),
      [],
    )
  })

  test('DM-08 the figures are those of the migration', () => {
    const value = (name: string, labels = '') =>
      figures.find((figure) => figure.name === name && figure.labels.includes(labels))?.value
    assert.equal(value('crossfade_migration_stage'), 2)
    assert.equal(value('crossfade_migration_desired_stage'), 3)
    assert.equal(value('crossfade_migration_open_mismatches'), 2)
    assert.equal(value('crossfade_stream_lag_seconds', 'shard="source/a"'), 0.0425)
    assert.equal(value('crossfade_stream_lag_bytes', 'direction="forward"'), 1_234)
    assert.equal(value('crossfade_shard_reachable', 'shard="source/a"'), 1)
    assert.equal(value('crossfade_shard_reachable', 'shard="source/b"'), 0)
    assert.equal(value('crossfade_workers_alive'), 1)
    assert.equal(value('crossfade_http_request_duration_seconds_count', 'route="/api/v1/migrations"'), 1)
  })

  test('names with quotes and line ends are escaped', () => {
    assert.ok(figures.some((figure) => figure.labels.includes('name="with \\"quotes\\"\\nand lines"')))
  })

  test('a scrape answers while the control database does not, and counts it', async () => {
    const broken = await testServer()
    broken.service.list = async () => {
      throw fail('CF6003', { reason: 'refused' })
    }
    await broken.app.inject({ url: '/metrics' })
    const second = parse((await broken.app.inject({ url: '/metrics' })).body)
    await broken.close()
    assert.equal(second.find((figure) => figure.name === 'crossfade_scrape_failures_total')?.value, 2)
  })

  test('what the shipped dashboard and alert rules ask for exists', () => {
    const root = join(import.meta.dirname, '..', '..', 'deploy')
    for (const file of ['grafana/crossfade.json', 'prometheus/alerts.yml']) {
      const text = read(join(root, file))
      const asked = new Set(text.match(/\bcrossfade_[a-z_]+/g) ?? [])
      const known = [...typed].flatMap((name) => [name, `${name}_bucket`, `${name}_count`, `${name}_sum`])
      assert.deepEqual(
        [...asked].filter((name) => !known.includes(name)),
        [],
        file,
      )
    }
  })
})

suite('health', () => {
  test('live says that the process answers, ready that the control database does', async () => {
    const server = await testServer()
    assert.deepEqual((await server.app.inject({ url: '/health/live' })).json(), { status: 'ok' })
    const ready = (await server.app.inject({ url: '/health/ready' })).json()
    assert.deepEqual([ready.status, ready.workers, ready.migrations], ['ok', 0, 0])
    server.service.health = async () => {
      throw fail('CF6003', { reason: 'refused' })
    }
    const away = await server.app.inject({ url: '/health/ready' })
    assert.deepEqual([away.statusCode, away.json().code, away.json().retry], [503, 'CF6003', true])
    assert.equal((await server.app.inject({ url: '/health/live' })).statusCode, 200)
    await server.close()
  })
})

/** Reads the text format line by line; a line that is none of it fails the test. */
function parse(text: string): Figure[] {
  const figures: Figure[] = []
  for (const line of text.split('\n')) {
    if (line === '' || /^# (HELP|TYPE) [a-zA-Z_:]\w* ./.test(line)) continue
    const match = /^([a-zA-Z_:][\w:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)$/.exec(line)
    assert.ok(match, `no line of the text format: ${line}`)
    const value = match[3] === 'Nan' ? Number.NaN : Number(match[3]!.replace('Inf', 'Infinity'))
    figures.push({ name: match[1]!, labels: match[2] ?? '', value })
  }
  return figures
}

function read(path: string): string {
  return readFileSync(path, 'utf8')
}
