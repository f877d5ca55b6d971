import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { freshDatabase, sharedTestCluster } from '@crossfade/embedded/testing.ts'
import type { BackupManifest } from './backup-manifest.ts'
import { roundTrip, testContext } from './testing/round-trip.ts'

const directory = mkdtempSync(join(tmpdir(), 'crossfade backup '))
after(() => rmSync(directory, { recursive: true, force: true }))

const setup = `
  CREATE TYPE mood AS ENUM ('fine', 'not');
  CREATE TABLE people (id serial PRIMARY KEY, name text UNIQUE, m mood, at timestamptz, d double precision, twice int GENERATED ALWAYS AS (id * 2) STORED);
  CREATE TABLE notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, person int REFERENCES people, body text, at date NOT NULL DEFAULT '2024-05-05');
  CREATE TABLE parts (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
  CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
  CREATE TABLE "odd "" name; --" ("sel ect" text, x int[]);
  CREATE TABLE empty (); CREATE VIEW v AS SELECT count(*) FROM people;
  INSERT INTO people (name, m, at, d) SELECT 'p' || i, CASE WHEN i % 2 = 0 THEN 'fine'::mood END, now(), random() FROM generate_series(1, 2000) i;
  INSERT INTO notes (person, body) SELECT i % 2000 + 1, repeat('x', i % 3000) FROM generate_series(1, 3000) i;
  INSERT INTO parts SELECT i, '2024-03-03' FROM generate_series(1, 10) i;
  INSERT INTO "odd "" name; --" VALUES (NULL, '{1,NULL}'), ('', '{}'), (NULL, '{1,NULL}');
`
const policy = (drill: boolean) => ({ backup: { mode: 'before-start' as const, directory, drill } })

test('DM-09 a backup is drilled: restored beside, compared row by row, dropped; made once', async () => {
  const source = await sharedTestCluster(16)
  const target = await sharedTestCluster(18)
  const trip = await roundTrip({ source, target, setup, plan: policy(true) })
  try {
    const first = await trip.infrastructure.backup(testContext())
    assert.equal(first.drilled, true)
    assert.ok(first.bytes > 1_000_000)
    const manifest = JSON.parse(readFileSync(join(first.path, 'source_a', 'manifest.json'), 'utf8')) as BackupManifest
    assert.deepEqual(
      manifest.tables.map((table) => [table.name.name, table.rows]),
      [
        ['empty', 0],
        ['notes', 3000],
        ['odd " name; --', 3],
        ['parts_1', 10],
        ['people', 2000],
      ],
    )
    await trip.source.query('DELETE FROM notes')
    assert.deepEqual(await trip.infrastructure.backup(testContext()), first)
    const { rows } = await trip.target.query(`SELECT 1 FROM pg_database WHERE datname LIKE 'crossfade_drill%'`)
    assert.deepEqual(rows, [])

    const file = join(first.path, 'source_a', manifest.tables.find((table) => table.name.name === 'notes')!.file)
    const bytes = readFileSync(file)
    bytes[bytes.length >> 1] = bytes[bytes.length >> 1]! ^ 1
    writeFileSync(file, bytes)
    await assert.rejects(trip.infrastructure.backup(testContext()), { code: 'CF2219' })
  } finally {
    await trip.end()
  }
})

test('DM-09 psql alone restores a backup', async (context) => {
  if (!existsSync('/usr/bin/psql')) return context.skip('psql is not installed')
  const cluster = await sharedTestCluster(18)
  const trip = await roundTrip({ source: cluster, target: cluster, setup, plan: policy(false) })
  const other = await freshDatabase(cluster, 'restored')
  try {
    const { path } = await trip.infrastructure.backup(testContext())
    execFileSync('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', other.url, '-f', 'restore.sql'], {
      cwd: join(path, 'source_a'),
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const count = execFileSync('psql', [
      '-X',
      '-A',
      '-t',
      '-d',
      other.url,
      '-c',
      "SELECT count, (SELECT count(*) FROM notes), nextval('people_id_seq') FROM v",
    ])
    assert.equal(count.toString().trim(), '2000|3000|2001')
  } finally {
    await trip.end()
    await other.drop()
  }
})

test('DM-09 without the right to create a database the drill says so, and the backup stays', async () => {
  const cluster = await sharedTestCluster(18)
  await cluster.createRole('keeper').catch(() => undefined)
  const trip = await roundTrip({
    source: cluster,
    target: cluster,
    setup: `${setup} GRANT SELECT ON ALL TABLES IN SCHEMA public TO keeper; GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO keeper;`,
    user: 'keeper',
    plan: policy(true),
  })
  try {
    await assert.rejects(trip.infrastructure.backup(testContext()), { code: 'CF2221' })
  } finally {
    await trip.end()
  }
})
