import assert from 'node:assert/strict'
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { compileService } from '../compile-service.ts'
import { keptUpTo } from '../kept.ts'
import { loadServices } from '../load-services.ts'
import { servicesDirectory, writeExample } from '../testing/services-directory.ts'
import { buildSnapshot } from './build.ts'
import { prefixBytes } from './format.ts'
import { readSnapshot } from './read.ts'

/** A service of 40 operations, of which two are listed. */
function large() {
  const paths = Object.fromEntries(
    Array.from({ length: 40 }, (_, at) => [
      `/p${at}`,
      { get: { operationId: `op_${at}`, summary: `Reads number ${at}` } },
    ]),
  )
  return { openapi: '3.0.0', info: { title: 'Large' }, paths }
}

function directoryWithTwo() {
  const directory = servicesDirectory()
  writeExample(directory, 'small', 50_000)
  writeExample(directory, 'large', 50_001, { source: { kind: 'openapi-file' }, tools: ['op_3', 'op_1'] })
  directory.write('large/openapi.json', large())
  return directory
}

test('what goes into a snapshot comes out of it: listed tools in their order, the others by name, search', () => {
  using directory = directoryWithTwo()
  const file = join(directory.path, 'compiled')
  assert.deepEqual(buildSnapshot([directory.path], file), {
    file,
    rebuilt: true,
    services: 2,
    operations: 42,
    findings: [],
  })
  const { services } = readSnapshot(file)
  for (const service of services) {
    const source = loadServices([directory.path]).services.find(
      (each) => each.config.serviceType === service.config.serviceType,
    )
    const compiled = compileService(source!)
    assert.deepEqual(service.config, source!.config)
    assert.deepEqual(service.listed, compiled.listed)
    assert.equal(service.operationCount, compiled.operations.length)
    for (const { tool } of compiled.operations) assert.deepEqual(service.tool(tool.name), tool)
    assert.equal(service.tool('no_such_tool'), undefined)
  }
  const [largeService] = services
  assert.deepEqual(
    largeService!.listed.map((tool) => tool.name),
    ['op_3', 'op_1'],
  )
  assert.equal(largeService!.searchTools('number 37', 3)[0]!.name, 'op_37')
})

test('a snapshot is built again only when its sources changed; equal sources give equal files', () => {
  using directory = directoryWithTwo()
  const [one, two] = [join(directory.path, 'one'), join(directory.path, 'two')]
  buildSnapshot([directory.path], one)
  buildSnapshot([directory.path], two)
  assert.ok(readFileSync(one).equals(readFileSync(two)))
  assert.equal(buildSnapshot([directory.path], one).rebuilt, false)
  const before = readSnapshot(one)
  writeExample(directory, 'small', 50_000, { description: 'Another description of the same service.' })
  assert.equal(buildSnapshot([directory.path], one).rebuilt, true)
  assert.notEqual(readSnapshot(one).digest, before.digest)
  assert.ok(readdirSync(directory.path).every((name) => !name.endsWith('.partial')))
})

test('M11 who reads the old snapshot goes on with it after it has been replaced', () => {
  using directory = directoryWithTwo()
  const file = join(directory.path, 'compiled')
  buildSnapshot([directory.path], file)
  const old = readSnapshot(file)
  directory.write('large/openapi.json', { ...large(), paths: { '/only': { get: { operationId: 'op_3' } } } })
  buildSnapshot([directory.path], file)
  assert.equal(old.services[0]!.tool('op_30')!.name, 'op_30')
  assert.equal(readSnapshot(file).services[0]!.tool('op_30'), undefined)
})

test('a missing, foreign, truncated or damaged snapshot is refused with what to do', () => {
  using directory = directoryWithTwo()
  const file = join(directory.path, 'compiled')
  assert.throws(() => readSnapshot(file), { code: 'CF10040' })
  writeFileSync(file, 'something else altogether')
  assert.throws(() => readSnapshot(file), { code: 'CF10041' })
  assert.equal(buildSnapshot([directory.path], file).rebuilt, true)
  // Of the format before: never misread, always built anew.
  const older = readFileSync(file)
  older.writeUInt8(older.readUInt8(6) - 1, 6)
  writeFileSync(file, older)
  assert.throws(() => readSnapshot(file), { code: 'CF10041' })
  assert.equal(buildSnapshot([directory.path], file).rebuilt, true)
  const bytes = readFileSync(file)
  const endless = Buffer.from(bytes)
  endless.writeUInt32LE(0xffff_ffff, prefixBytes - 4)
  writeFileSync(file, endless)
  assert.throws(() => readSnapshot(file), /its head is too long/)
  writeFileSync(file, bytes)
  truncateSync(file, bytes.length - 10)
  assert.throws(() => readSnapshot(file), /truncated/)
  const partsAt = prefixBytes + bytes.readUInt32LE(prefixBytes - 4)
  const damaged = Buffer.from(bytes)
  damaged.fill(0, partsAt, partsAt + 200)
  writeFileSync(file, damaged)
  const { services } = readSnapshot(file)
  assert.throws(() => services[0]!.listed, { code: 'CF10041' })
})

test('what is kept is bounded by its size; what was used last stays', () => {
  const kept = keptUpTo<string, number>(10)
  kept.set('a', 1, 4)
  kept.set('b', 2, 4)
  assert.equal(kept.get('a'), 1)
  kept.set('c', 3, 4)
  assert.deepEqual([kept.get('a'), kept.get('b'), kept.get('c')], [1, undefined, 3])
  kept.set('huge', 4, 11)
  assert.equal(kept.get('huge'), undefined)
  kept.set('a', 5, 2)
  assert.equal(kept.size, 6)
})
