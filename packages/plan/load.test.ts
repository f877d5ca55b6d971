import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Failure } from '@crossfade/model/failure.ts'
import { loadPlan, readPlanText } from './load.ts'

const folder = mkdtempSync(join(tmpdir(), 'crossfade-load-'))
after(() => rmSync(folder, { recursive: true, force: true }))
let files = 0

function written(text: string, extension: string): string {
  const path = join(folder, `${files++}.plan.${extension}`)
  writeFileSync(path, text)
  return path
}

async function failureOf(work: () => unknown): Promise<Failure> {
  try {
    await work()
  } catch (error) {
    if (error instanceof Failure) return error
    throw error
  }
  assert.fail('the plan was accepted')
}

const head = 'name: move\nsource: { env: SOURCE_URL }\ntarget: { env: TARGET_URL }\n'

const accepted: [string, string][] = [
  ['the least', head],
  [
    'URLs without password',
    'name: move\nsource: postgres://app@a/app\ntarget: { url: "postgres://app@b/app", passwordFrom: { file: ./pw } }\n',
  ],
  ['durations and sizes', `${head}cutover: { deadlineMs: 5 s }\ncopy: { chunkBytesMax: 64 MiB }\n`],
  ['a table called password', `${head}tables: { rename: { password: secret }, where: { secret: "password = 'x'" } }\n`],
  [
    'a transformer by name',
    `${head}tables: { transform: { users: { use: maskColumns, with: { columns: [email] } } } }\n`,
  ],
  [
    'a list of transformers',
    `${head}tables: { transform: { users: [ { use: dropColumns, with: { columns: [a] } }, { use: constant, with: { column: b, value: null } } ] } }\n`,
  ],
]
for (const [what, text] of accepted) {
  test(`a plan is accepted: ${what}`, () => {
    assert.equal(readPlanText(text, 'move.yaml').document.name, 'move')
  })
}

/** What is wrong, the plan, the code, and what the error must say: the place, the line and the reason. */
const refused: [string, string, string, RegExp][] = [
  ['nothing at all', '', 'CF1002', /at the top .*not nothing/],
  ['a list', '- a\n', 'CF1002', /at the top .*not an array/],
  ['no name', 'source: { env: A }\ntarget: { env: B }\n', 'CF1002', /at name .*is missing/],
  ['a name with capitals', head.replace('move', 'Move It'), 'CF1002', /at name \(move\.yaml:1\): must be lower-case/],
  ['a misspelt section', `${head}tabels: {}\n`, 'CF1002', /at tabels \(move\.yaml:4\).*did you mean tables/],
  [
    'a misspelt entry',
    `${head}tables:\n  shardkeys: {}\n`,
    'CF1002',
    /at tables\.shardkeys \(move\.yaml:5\).*did you mean shardKeys/,
  ],
  [
    'a shard key that is a number',
    `${head}tables:\n  shardKeys:\n    users: 3\n`,
    'CF1002',
    /at tables\.shardKeys\.users \(move\.yaml:6\): must be a column/,
  ],
  [
    'a parent without table',
    `${head}tables:\n  shardKeys:\n    "my schema.t": { via: x }\n`,
    'CF1002',
    /at tables\.shardKeys\."my schema\.t"\.parent \(move\.yaml:6\): is missing/,
  ],
  [
    'no shard',
    'name: move\nsource: { shards: {} }\ntarget: { env: B }\n',
    'CF1002',
    /at source\.shards .*must not be empty/,
  ],
  [
    'a shard name with a slash',
    'name: move\nsource: { shards: { "a/b": { env: A } } }\ntarget: { env: B }\n',
    'CF1002',
    /at source\.shards\."a\/b".*name must match/,
  ],
  [
    'no buckets',
    'name: move\nsource: { shards: { a: { env: A } }, topology: { hash: { buckets: 0 } } }\ntarget: { env: B }\n',
    'CF1002',
    /at source\.topology\.hash\.buckets .*at least 1/,
  ],
  ['an unknown stage', `${head}until: done\n`, 'CF1002', /at until .*one of "dualwrite", "shadow"/],
  [
    'an unknown gate',
    `${head}gates: { live: [ { kind: lagg } ] }\n`,
    'CF1002',
    /at gates\.live\[0\]\.kind .*one of "lag"/,
  ],
  ['a gate before off', `${head}gates: { off: [] }\n`, 'CF1002', /at gates\.off .*known are dualwrite/],
  [
    'a duration without unit',
    `${head}cutover: { deadlineMs: 5 days }\n`,
    'CF1002',
    /at cutover\.deadlineMs .*a duration/,
  ],
  ['a size without unit', `${head}copy: { chunkBytesMax: 64 MB }\n`, 'CF1002', /at copy\.chunkBytesMax .*a size/],
  [
    'a negative limit',
    `${head}verification: { chunkRowsMax: -1 }\n`,
    'CF1002',
    /at verification\.chunkRowsMax .*at least 1/,
  ],
  [
    'a window without length',
    `${head}windows:\n  - cron: 0 22 * * *\n`,
    'CF1002',
    /at windows\[0\]\.durationMs \(move\.yaml:5\): is missing/,
  ],
  [
    'a hook that is two',
    `${head}cutover: { hooks: [ { webhook: { url: ftp://x } } ] }\n`,
    'CF1002',
    /at cutover\.hooks\[0\]\.webhook\.url .*http/,
  ],
  ['several problems', `${head}until: x\narchive: y\n`, 'CF1002', /and 1 more: archive/],
  [
    'an unknown transformer',
    `${head}tables: { transform: { users: { use: rot13 } } }\n`,
    'CF1030',
    /no transformer rot13/,
  ],
  [
    'options that do not fit',
    `${head}tables: { transform: { users: { use: maskColumns, with: { columns: 3 } } } }\n`,
    'CF1031',
    /at columns: must be an array/,
  ],
  ['broken YAML', 'name: [\nsource: x\n', 'CF1001', /at line \d/],
  ['a key twice', `${head}name: again\n`, 'CF1001', /unique.* at line 4/],
]
for (const [what, text, code, says] of refused) {
  test(`a plan is refused with its place: ${what}`, async () => {
    const failure = await failureOf(() => readPlanText(text, 'move.yaml'))
    assert.equal(failure.code, code)
    assert.match(failure.message, says)
  })
}

const secret = 'hunter2-never-print-me'
const withSecret: [string, string, string][] = [
  ['a URL with password', 'yaml', `name: move\nsource: postgres://app:${secret}@a/app\ntarget: { env: B }\n`],
  [
    'a password as parameter',
    'yaml',
    `name: move\nsource: postgres://app@a/app?password=${secret}\ntarget: { env: B }\n`,
  ],
  [
    'a shard with password',
    'yaml',
    `name: move\nsource: { shards: { a: { url: "postgresql://app:${secret}@a/app" } } }\ntarget: { env: B }\n`,
  ],
  [
    'a password entry',
    'yaml',
    `name: move\nsource: { url: "postgres://a", password: ${secret} }\ntarget: { env: B }\n`,
  ],
  [
    'a webhook with password',
    'yaml',
    `${head}cutover: { hooks: [ { webhook: { url: "https://me:${secret}@h/" } } ] }\n`,
  ],
  ['broken YAML beside it', 'yaml', `name: move\nsource: postgres://app:${secret}@a/app\n  target: [\n`],
  ['broken JSON beside it', 'json', `{ "source": "postgres://app:${secret}@a/app" oops }`],
  ['broken TypeScript beside it', 'ts', `export default { source: 'postgres://app:${secret}@a/app' oops }`],
  [
    'a program with a password',
    'ts',
    `export default { name: 'move', source: 'postgres://app:${secret}@a/app', target: { env: 'B' } }`,
  ],
]
for (const [what, extension, text] of withSecret) {
  test(`a secret in a plan is never printed: ${what}`, async () => {
    const failure = await failureOf(() => loadPlan(written(text, extension)))
    assert.match(failure.code, /^CF100[14]$/)
    const everything = [
      failure.message,
      failure.remedy,
      failure.stack,
      JSON.stringify(failure.details),
      String(failure.cause),
    ].join('\n')
    assert.ok(!everything.includes(secret), everything)
  })
}

test('a TypeScript plan loads wherever it lies, whatever the package above it says', async () => {
  writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }')
  const path = written(
    `import { definePlan, env, hash, via } from '@crossfade/plan/define.ts'
     import { splitColumn } from '@crossfade/plan/transform/split-merge.ts'
     export default definePlan({
       name: 'move', source: env('A'),
       target: { shards: { x: env('B'), y: env('C') }, topology: hash({ buckets: 64 }) },
       tables: {
         shardKeys: { channels: via('tenant_id', 'tenants') },
         transform: { users: [splitColumn({ column: 'name', into: ['first', 'last'], separator: ' ' })], logs: (row) => (row.level === 'debug' ? null : row) },
       },
     })`,
    'ts',
  )
  const loaded = await loadPlan(path)
  assert.deepEqual(loaded.document.tables, { shardKeys: { channels: { via: 'tenant_id', parent: 'tenants' } } })
  assert.deepEqual(loaded.transforms.get('users')!.forward({ name: 'Ada Lovelace' }), {
    first: 'Ada',
    last: 'Lovelace',
  })
  assert.equal(loaded.transforms.get('logs')!.forward({ level: 'debug' }), null)
  assert.equal(loaded.transforms.get('logs')!.backward, null)
})

test('a changed file is read anew in the same process', async () => {
  const path = written(`export default { name: 'one', source: { env: 'A' }, target: { env: 'B' } }`, 'mjs')
  assert.equal((await loadPlan(path)).document.name, 'one')
  writeFileSync(path, `export default { name: 'two', source: { env: 'A' }, target: { env: 'B' } }`)
  assert.equal((await loadPlan(path)).document.name, 'two')
})

const unreadable: [string, string, string, RegExp][] = [
  ['an extension nobody knows', 'toml', 'name = 1', /none of/],
  ['a program without default export', 'ts', 'export const other = 1', /no default export/],
  ['a program that exports a function', 'ts', 'export default () => ({})', /a function/],
  ['a program that throws', 'ts', `throw new Error('out of tune')`, /out of tune/],
]
for (const [what, extension, text, says] of unreadable) {
  test(`a plan file is refused: ${what}`, async () => {
    const failure = await failureOf(() => loadPlan(written(text, extension)))
    assert.match(failure.code, /^CF100[15]$/)
    assert.match(failure.message, says)
  })
}

test('a plan file that is not there is said so', async () => {
  const failure = await failureOf(() => loadPlan(join(folder, 'nowhere.yaml')))
  assert.equal(failure.code, 'CF1001')
  assert.match(failure.message, /there is no such file/)
})
