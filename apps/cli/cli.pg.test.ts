import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { leftoversIn } from '@crossfade/simulator/leftovers.ts'
import pg from 'pg'
import { buildProgram } from './program.ts'
import { runCommand, startCommand } from './testing/command.ts'
import { databaseWith } from './testing/databases.ts'

const ends: (() => unknown)[] = []
after(async () => {
  for (const end of ends.reverse()) await end()
})

async function database(sql = ''): Promise<string> {
  const { url, drop } = await databaseWith(sql)
  ends.push(drop)
  return url
}

function folder(): string {
  // The embedded control database runs as another user when the tests run as root, so the folder must let it pass.
  const path = mkdtempSync(join(tmpdir(), 'crossfade-cli-'))
  ends.push(() => rmSync(path, { recursive: true, force: true }))
  return path
}

const commands = buildProgram(() => undefined).commands.map((command) => command.name())

test('wrong usage exits with 2 and help with 0, without a stack', async () => {
  const cwd = folder()
  for (const [args, code] of [
    [['statsu'], 2],
    [['status', '--wath'], 2],
    [['new', 'plan', '../x'], 2],
    [['status', '--help'], 0],
  ] as const) {
    const ran = await runCommand(args, { cwd })
    assert.equal(ran.code, code, args.join(' '))
    assert.doesNotMatch(ran.stderr, /\n\s+at /)
  }
})

test('completion scripts name every command, and the shells that are here read them', async () => {
  const cwd = folder()
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, stdout } = await runCommand(['completion', shell], { cwd })
    assert.equal(code, 0)
    for (const name of commands) assert.ok(stdout.includes(name), `${shell} ${name}`)
  }
})

test('a plan that cannot be read: code, one sentence, remedy, no stack; the same as JSON', async () => {
  const cwd = folder()
  const plain = await runCommand(['plan', 'nowhere.yaml'], { cwd })
  assert.equal(plain.code, 1)
  assert.match(plain.stderr, /^CF1001 The plan nowhere\.yaml cannot be read: there is no such file\.\n {2}→ .+\n$/)
  const json = await runCommand(['plan', 'nowhere.yaml', '--json'], { cwd })
  assert.equal(JSON.parse(json.stdout).error.code, 'CF1001')
  const debug = await runCommand(['plan', 'nowhere.yaml'], { cwd, env: { CROSSFADE_DEBUG: '1' } })
  assert.match(debug.stderr, /\n\s+at /)
})

test('no secret is ever printed, not even with a stack', async () => {
  const cwd = folder()
  const secret = 'hunter2-never-print-me'
  writeFileSync(join(cwd, 'inside.yaml'), `name: x\nsource: postgres://u:${secret}@h/d\ntarget: { env: T }\n`)
  writeFileSync(
    join(cwd, 'outside.yaml'),
    'name: x\nsource: { env: S }\ntarget: { url: "postgres://u@127.0.0.1:1/d", passwordFrom: { file: pw } }\n',
  )
  writeFileSync(join(cwd, 'pw'), secret)
  const target = await database()
  const env = { S: `postgres://u:${secret}@127.0.0.1:1/d`, T: target, CROSSFADE_DEBUG: '1' }
  for (const args of [
    ['plan', 'inside.yaml'],
    ['doctor', 'inside.yaml', '--json'],
    ['plan', 'outside.yaml'],
    ['doctor', 'outside.yaml', '--json'],
    ['apply', 'outside.yaml'],
    ['init', env.S],
    ['new', 'transform', 'x', '--from', env.S],
    ['status', '--control', env.S],
    ['init', target.replace('postgres@', `postgres:${secret}@`), '-o', 'drafted.ts'],
    ['init', target.replace('postgres@', `postgres:${secret}@`), '-o', '-', '--json'],
  ]) {
    const { stdout, stderr } = await runCommand(args, { cwd, env })
    assert.ok(!`${stdout}${stderr}`.includes(secret), `${args.join(' ')}\n${stdout}${stderr}`)
  }
  assert.match(readFileSync(join(cwd, 'drafted.ts'), 'utf8'), /env\('SOURCE_URL'\)/)
  assert.doesNotMatch(readFileSync(join(cwd, 'drafted.ts'), 'utf8'), new RegExp(secret))
})

test('new and init do not overwrite unless told to', async () => {
  const cwd = folder()
  assert.equal((await runCommand(['new', 'plan', 'move'], { cwd })).code, 0)
  const again = await runCommand(['new', 'plan', 'move'], { cwd })
  assert.equal(again.code, 2)
  assert.match(again.stderr, /^CF7006 /)
  assert.equal((await runCommand(['new', 'plan', 'move', '--force'], { cwd })).code, 0)
  const listed = await runCommand(['new', 'transform', '--list', '--json'], { cwd })
  assert.ok(JSON.parse(listed.stdout).some(({ name }: { name: string }) => name === 'maskColumns'))
})

const ddl = `CREATE TABLE tenants (id int PRIMARY KEY); CREATE TABLE users (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, name text);
  CREATE TABLE countries (code text PRIMARY KEY); INSERT INTO tenants SELECT generate_series(1, 40); INSERT INTO users SELECT n, 1 + n % 40, 'user ' || n FROM generate_series(1, 2000) n; ANALYZE`

test('main path: init, doctor, plan, apply, status, verify, advance, retreat, history, abort; nothing is left behind', async () => {
  const cwd = folder()
  const [source, x, y] = [await database(ddl), await database(), await database()]
  const env = { SOURCE_URL: source, TARGET_0_URL: x, TARGET_1_URL: y }
  const run = (...args: string[]) => runCommand(args, { cwd, env })
  const json = async (...args: string[]) => {
    const { code, stdout, stderr } = await run(...args, '--json')
    try {
      return { code, value: JSON.parse(stdout) }
    } catch {
      assert.fail(`${args.join(' ')} printed no JSON: ${stdout}\n${stderr}`)
    }
  }

  assert.equal((await run('init', source, '--targets', '2', '--name', 'move', '-o', 'move.plan.ts')).code, 0)
  const doctor = await json('doctor', 'move.plan.ts', '--sample', '0')
  assert.deepEqual([doctor.code, doctor.value.ready], [0, true])
  const plan = await json('plan', 'move.plan.ts')
  assert.deepEqual(plan.value.order, ['public.countries', 'public.tenants', 'public.users'])
  assert.match((await run('plan', 'move.plan.ts', '--diff')).stdout, /was never applied/)
  assert.match((await run('status')).stderr, /No migration yet/)
  assert.equal((await run('history')).code, 1)

  const applied = await json('apply', 'move.plan.ts', '--until', 'shadow')
  assert.deepEqual([applied.code, applied.value.stage, applied.value.status], [0, 'shadow', 'resting'])
  assert.match((await run('plan', 'move.plan.ts', '--diff')).stdout, /Nothing changed since/)
  assert.equal((await json('status')).value.stage, 'shadow')
  const verified = await json('verify')
  assert.deepEqual([verified.code, verified.value.mismatches, verified.value.rows], [0, 0, 2040])

  const up = await json('advance')
  assert.deepEqual([up.code, up.value.stage], [0, 'live'])
  const down = await json('retreat')
  assert.deepEqual([down.code, down.value.stage], [0, 'shadow'])
  const unasked = await run('abort')
  assert.equal(unasked.code, 2)
  assert.match(unasked.stderr, /^CF7005 /)
  assert.ok((await json('history')).value.length > 20)
  const aborted = await json('abort', '--yes')
  assert.deepEqual([aborted.code, aborted.value.status], [0, 'aborted'])
  for (const url of [source, x, y]) assert.deepEqual(await leftoversIn(url), [], url)
  assert.equal((await run('status', '--all')).stdout.includes('aborted'), true)
  await endsItsControlDatabase(cwd)
})

test('D01: a difference makes verify exit with 1 and name the row; --repair mends it', async () => {
  const cwd = folder()
  const [source, target] = [await database(ddl), await database()]
  writeFileSync(join(cwd, 'move.yaml'), `name: move\nsource: { env: S }\ntarget: { env: T }\n`)
  const run = (...args: string[]) => runCommand(args, { cwd, env: { S: source, T: target } })
  assert.equal((await run('apply', 'move.yaml', '--until', 'dualwrite')).code, 0)
  const client = new pg.Client({ connectionString: target })
  await client.connect()
  await client.query("UPDATE users SET name = 'flipped' WHERE id = 77")
  await client.end()
  const found = await run('verify')
  assert.equal(found.code, 1)
  assert.match(found.stdout, /different +public\.users id=77 .*name 'user 77' ≠ 'flipped'/)
  const repaired = await run('verify', '--repair')
  assert.equal(repaired.code, 0, repaired.stdout + repaired.stderr)
  assert.equal((await run('verify')).code, 0)
  await run('abort', '--yes')
})

test('Ctrl-C detaches from apply with 130 and says how to go on; a kill -9 is ridden out; the same command goes on', async () => {
  const cwd = folder()
  const [source, target] = [await database(ddl), await database()]
  writeFileSync(
    join(cwd, 'move.yaml'),
    'name: move\nsource: { env: S }\ntarget: { env: T }\ngates: { shadow: [ { kind: manual, name: a person } ] }\n',
  )
  const options = { cwd, env: { S: source, T: target } }
  const first = startCommand(['apply', 'move.yaml'], options)
  await first.says(/dualwrite/)
  first.child.kill('SIGINT')
  const detached = await first.ended
  assert.equal(detached.code, 130)
  assert.match(detached.stderr, /Detached\..*\n.*crossfade apply move\.yaml/)
  await endsItsControlDatabase(cwd)

  const second = startCommand(['apply', 'move.yaml'], options)
  await second.says(/Going on with mig_/)
  second.child.kill('SIGKILL')
  await second.ended
  const third = startCommand(['apply', 'move.yaml', '--until', 'shadow'], options)
  await third.says(/holding/)
  const approved = await runCommand(['advance', '--detach'], options)
  assert.equal(approved.code, 0, approved.stderr)
  assert.equal((await third.ended).code, 0)
  assert.equal((await runCommand(['abort', '--yes'], options)).code, 0)
  for (const url of [source, target]) assert.deepEqual(await leftoversIn(url), [])
})

test('a plan that blocks is not started: exit 1, nothing changed', async () => {
  const cwd = folder()
  const [source, target] = [await database(ddl), await database('CREATE TABLE users (id int)')]
  writeFileSync(join(cwd, 'move.yaml'), 'name: move\nsource: { env: S }\ntarget: { env: T }\n')
  const { code, stdout } = await runCommand(['apply', 'move.yaml'], { cwd, env: { S: source, T: target } })
  assert.equal(code, 1)
  assert.match(stdout, /CF2117 public\.users already exists/)
  for (const url of [source, target]) assert.deepEqual(await leftoversIn(url), [])
})

/** The last process that used it stops it, and only its files stay. */
async function endsItsControlDatabase(cwd: string): Promise<void> {
  const home = join(cwd, '.crossfade')
  assert.deepEqual(readdirSync(join(home, 'users')), [])
  assert.equal(existsSync(join(home, 'control.lock')), false)
  const pid = join(home, 'control', 'data', 'postmaster.pid')
  assert.equal(existsSync(pid), false)
}
