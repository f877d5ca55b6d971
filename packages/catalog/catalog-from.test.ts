import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import type { ServiceType } from '@crossfade/model/platform-ids.ts'
import { openCatalog } from './catalog-from.ts'
import { buildSnapshot } from './snapshot/build.ts'
import { servicesDirectory, writeExample } from './testing/services-directory.ts'

function shippedAndImported() {
  const shippedDirectory = servicesDirectory()
  const imported = servicesDirectory()
  writeExample(shippedDirectory, 'figma', 49_160, {
    category: 'design',
    description: 'Design files, comments and components.',
  })
  writeExample(shippedDirectory, 'slack', 49_320, {
    category: 'communication',
    description: 'Messages and channels of a team.',
  })
  const shipped = join(shippedDirectory.path, 'compiled')
  buildSnapshot([shippedDirectory.path], shipped)
  return {
    imported,
    sources: { shipped, directories: [imported.path] },
    [Symbol.dispose]() {
      shippedDirectory[Symbol.dispose]()
      imported[Symbol.dispose]()
    },
  }
}

const typesOf = (catalog: { services: ReadonlyMap<ServiceType, unknown> }) => [...catalog.services.keys()] as string[]

test('SI-02 imported services stand beside the shipped ones, and are found by search', async () => {
  using both = shippedAndImported()
  writeExample(both.imported, 'mine', 50_000, { description: 'Invoices of my own company.' })
  const { catalog, findings } = await openCatalog(both.sources)
  assert.deepEqual(findings, [])
  assert.deepEqual(typesOf(catalog), ['figma', 'slack', 'mine'])
  assert.deepEqual(
    catalog.searchServices('invoices').map(({ config }) => config.serviceType as string),
    ['mine'],
  )
  assert.equal(catalog.searchServices('').length, 3)
  assert.deepEqual(catalog.searchServices('design unicorn'), [])
})

test('a broken imported service is named with its line, one that takes a port or name is told; the others are served', async () => {
  using both = shippedAndImported()
  both.imported.write('broken/config.json', '{\n  "serviceType": oops\n}')
  writeExample(both.imported, 'slack', 50_001)
  writeExample(both.imported, 'thief', 49_160)
  writeExample(both.imported, 'mine', 50_000)
  const { catalog, findings } = await openCatalog(both.sources)
  assert.deepEqual(typesOf(catalog), ['figma', 'slack', 'mine'])
  assert.equal(catalog.services.get('slack' as ServiceType)!.config.port, 49_320)
  assert.deepEqual(findings.map(({ code }) => code).sort(), ['CF10001', 'CF10004', 'CF10005'])
  assert.match(findings.find(({ code }) => code === 'CF10001')!.message, /broken\/config\.json.*line 2/)
})

test('M11 a reload is another catalog with another digest; the old one is as it was; what has not changed is not read again', async () => {
  using both = shippedAndImported()
  writeExample(both.imported, 'mine', 50_000)
  const first = await openCatalog(both.sources)
  writeExample(both.imported, 'other', 50_001)
  const second = await openCatalog(both.sources, first)
  assert.deepEqual(typesOf(first.catalog), ['figma', 'slack', 'mine'])
  assert.deepEqual(typesOf(second.catalog), ['figma', 'slack', 'mine', 'other'])
  assert.notEqual(first.catalog.digest, second.catalog.digest)
  const figma = 'figma' as ServiceType
  assert.equal(second.catalog.services.get(figma), first.catalog.services.get(figma))
  const third = await openCatalog(both.sources, second)
  assert.equal(third.catalog.digest, second.catalog.digest)
  assert.equal(first.catalog.services.get('mine' as ServiceType)!.tool('create_thing')!.name, 'create_thing')
})
