import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Failure } from '@crossfade/model/failure.ts'
import { dataKeyAssociated, localKey } from './key-ring.ts'
import { masterKeys, parseMasterKeys } from './master-keys.ts'

const directory = mkdtempSync(join(tmpdir(), 'crossfade-keys-'))
after(() => rmSync(directory, { recursive: true, force: true }))
const newKey = () => randomBytes(32).toString('base64')

test('SI-08: a malformed master key is refused with what is wrong with it and what to do, and without the key', () => {
  const good = newKey()
  const short = randomBytes(24).toString('base64')
  const cases: [string, RegExp][] = [
    ['', /CF11015|no key/],
    [',', /holds no key/],
    [short, /24 bytes instead of 32/],
    [`a:${good},b:${short}`, /key 2 has 24 bytes/],
    [`${good.slice(0, -4)}!!!=`, /not base64/],
    [`a b:${good}`, /has an id/],
    [`:${good}`, /has an id/],
    [`a:${good},a:${newKey()}`, /the same id/],
    [`${Buffer.alloc(32).toString('base64')}`, /one byte repeated/],
    [Array.from({ length: 33 }, (_, n) => `k${n}:${newKey()}`).join(','), /more than 32/],
  ]
  for (const [text, expected] of cases) {
    try {
      masterKeys({ environment: { CROSSFADE_MCP_MASTER_KEY: text } })
      assert.fail(text)
    } catch (error) {
      assert.ok(error instanceof Failure, String(error))
      assert.match(`${error.code} ${error.message}`, expected)
      assert.match(error.remedy, /openssl rand -base64 32/)
      const told = `${error.message}${error.stack}${JSON.stringify(error.details)}`
      for (const secret of [good, short]) assert.ok(!told.includes(secret))
    }
  }
})

test('SI-08: several generations: the first wraps, all unwrap', async () => {
  const [one, two] = [newKey(), newKey()]
  const ring = masterKeys({ environment: { CROSSFADE_MCP_MASTER_KEY: `2026-11:${one}, 2026-01:${two}` } })
  assert.equal(ring.current.id, '2026-11')
  assert.equal(ring.find('2026-01')?.id, '2026-01')
  assert.equal(ring.find('2025-01'), undefined)
  const associated = dataKeyAssociated('k', 'u')
  const dataKey = randomBytes(32)
  const wrapped = await ring.find('2026-01')!.wrap(dataKey, associated)
  assert.deepEqual(await ring.find('2026-01')!.unwrap(wrapped, associated), dataKey)
  assert.ok(!wrapped.includes(dataKey))
  await assert.rejects(ring.current.unwrap(wrapped, associated), { code: 'CF11005' })
  await assert.rejects(ring.find('2026-01')!.unwrap(wrapped, dataKeyAssociated('k', 'v')), { code: 'CF11005' })
  for (let place = 0; place < wrapped.length; place += 1) {
    const changed = Buffer.from(wrapped)
    changed[place]! ^= 1
    await assert.rejects(ring.find('2026-01')!.unwrap(changed, associated), { code: 'CF11005' })
  }
  for (const length of [0, 1, 12, 28]) {
    await assert.rejects(localKey('x', randomBytes(32)).unwrap(wrapped.subarray(0, length), associated), {
      code: 'CF11005',
    })
  }
  assert.equal(parseMasterKeys(one, 'here')[0]!.id, 'master')
})

test('SI-08: the key file is made once, for its owner alone, and refused when others can read it', () => {
  const path = join(directory, 'home', 'master.key')
  assert.throws(() => masterKeys({ environment: {}, defaultFile: path }), { code: 'CF11008' })
  const made = masterKeys({ environment: {}, defaultFile: path, make: true })
  assert.equal(made.current.id, 'master')
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.equal(statSync(join(directory, 'home')).mode & 0o077, 0)
  const content = readFileSync(path, 'utf8')
  masterKeys({ environment: {}, defaultFile: path, make: true })
  assert.equal(readFileSync(path, 'utf8'), content)
  for (const mode of [0o640, 0o604, 0o660]) {
    chmodSync(path, mode)
    assert.throws(
      () => masterKeys({ environment: {}, defaultFile: path }),
      (error: Failure) => {
        assert.equal(error.code, 'CF11007')
        assert.match(error.remedy, /chmod 600/)
        return true
      },
    )
  }
  // A file that somebody named is never made: a wrong name would begin another life of the platform.
  const named = join(directory, 'named.key')
  assert.throws(() => masterKeys({ environment: { CROSSFADE_MCP_MASTER_KEY_FILE: named }, make: true }), {
    code: 'CF11008',
  })
  assert.ok(!existsSync(named))
  writeFileSync(named, `new:${newKey()}\nold:${newKey()}\n`, { mode: 0o600 })
  assert.equal(masterKeys({ environment: { CROSSFADE_MCP_MASTER_KEY_FILE: named } }).find('old')?.id, 'old')
  assert.throws(() => masterKeys({ environment: {} }), { code: 'CF11015' })
  assert.throws(() => masterKeys({ environment: { CROSSFADE_MCP_KMS_COMMAND: ' ' } }), { code: 'CF11015' })
})

/** A program as an operator would write it; `behave` is JavaScript over `request` and `answer`. */
function program(behave: string): string {
  const path = join(directory, `kms-${randomBytes(4).toString('hex')}.mjs`)
  writeFileSync(
    path,
    `let text = ''
for await (const chunk of process.stdin) text += chunk
const request = JSON.parse(text)
const answer = (data) => process.stdout.write(JSON.stringify({ data }))
const flip = (data) => Buffer.from(Buffer.from(data, 'base64').map((byte) => byte ^ 0x5a)).toString('base64')
${behave}`,
  )
  return `${process.execPath} ${path}`
}

test('SI-08: a KMS is any program that wraps and unwraps; what it does wrong is a failure that tells nothing of the key', async () => {
  const { commandKeyRing } = await import('./kms-command.ts')
  const ring = masterKeys({
    environment: {
      CROSSFADE_MCP_KMS_COMMAND: program(
        'if (request.keyId !== "alias/one" || !request.context) process.exit(2); answer(flip(request.data))',
      ),
      CROSSFADE_MCP_KMS_KEY_IDS: 'alias/one, alias/two',
    },
  })
  assert.equal(ring.current.id, 'alias/one')
  const dataKey = randomBytes(32)
  const associated = dataKeyAssociated('k', 'u')
  const wrapped = await ring.current.wrap(dataKey, associated)
  assert.notDeepEqual(wrapped, dataKey)
  assert.deepEqual(await ring.current.unwrap(wrapped, associated), dataKey)
  const failing: [string, RegExp][] = [
    ['process.exit(3)', /exit code 3/],
    ['process.kill(process.pid, "SIGTERM")', /SIGTERM/],
    ['process.stdout.write("no JSON " + request.data)', /its answer is not/],
    ['answer("not base64 !")', /its answer is not/],
    ['process.stdout.write("x".repeat(200000))', /more than 65536 bytes/],
    ['setTimeout(() => {}, 60000)', /did not answer within 1500 ms/],
  ]
  await Promise.all(
    failing.map(async ([behave, expected]) => {
      const failed = commandKeyRing(program(behave), ['one'], { msMax: 1500 })
      await assert.rejects(failed.current.wrap(dataKey, associated), (error: Failure) => {
        assert.equal(error.code, 'CF11011')
        assert.ok(!`${error.message}${error.stack}`.includes(dataKey.toString('base64')))
        // Those that are killed for time may be killed for time on a slow machine.
        assert.match(error.message, new RegExp(`${expected.source}|did not answer`))
        return true
      })
    }),
  )
  const running = join(directory, 'running')
  mkdirSync(running)
  const counted = program(`const { readdirSync, rmSync, writeFileSync } = await import('node:fs')
writeFileSync('${running}/' + process.pid, '')
const together = readdirSync('${running}').length
await new Promise((resolve) => setTimeout(resolve, 400))
rmSync('${running}/' + process.pid)
answer(together > 4 ? '!' : flip(request.data))`)
  // Eight keys wait; a program that finds more than four at once answers nonsense.
  const many = commandKeyRing(counted, ['one']).current
  await Promise.all(Array.from({ length: 8 }, () => many.wrap(dataKey, associated)))
  await assert.rejects(commandKeyRing('/nowhere/at/all', ['one']).current.wrap(dataKey, associated), /CF11011|ENOENT/)
  assert.throws(() => commandKeyRing('x', ['']), { code: 'CF11006' })
})
