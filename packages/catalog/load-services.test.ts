import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadServices } from './load-services.ts'
import { exampleConfig, exampleOperations, servicesDirectory, writeExample } from './testing/services-directory.ts'

function loadedWith(write: (directory: ReturnType<typeof servicesDirectory>) => void) {
  using directory = servicesDirectory()
  writeExample(directory, 'good', 50_000)
  write(directory)
  const { services, findings } = loadServices([directory.path])
  const messages = findings.map(({ code, message }) => `${code} ${message.replaceAll(directory.path, '')}`)
  return { types: services.map((service) => service.config.serviceType as string), messages }
}

test('SI-02 a file that is no JSON is named with line and column; the others load', () => {
  const missingComma = '{\n  "serviceType": "bad",\n  "displayName": "Bad"\n  "port": 1\n}\n'
  const { types, messages } = loadedWith((directory) => directory.write('bad/config.json', missingComma))
  assert.deepEqual(types, ['good'])
  assert.match(messages[0]!, /^CF10001 The file \/bad\/config\.json is no JSON: .*\(line 4, column 3\)\.$/)
})

test('a file that ends too early, and one with a stray word, are named with their lines too', () => {
  const { messages } = loadedWith((directory) => {
    directory.write('early/config.json', '{\n  "serviceType": "early",\n')
    directory.write('stray/config.json', '{\n  "serviceType": stray\n}')
  })
  assert.match(messages[0]!, /^CF10001 .*early.*line 3/)
  assert.match(messages[1]!, /^CF10001 .*stray.*\(line 2, column 18\)/)
})

test('what breaks the schema is named by pointer and line, of alternatives the one that was meant', () => {
  const { types, messages } = loadedWith((directory) => {
    directory.write('bad/config.json', exampleConfig('bad', 80, { categori: 'testing', description: undefined }))
    const auth = { type: 'api_key', label: 'Key', help: 'There.', send: { in: 'cookie', name: 'a' } }
    directory.write('auth/config.json', exampleConfig('auth', 50_001, { auth }))
  })
  assert.deepEqual(types, ['good'])
  assert.match(messages.find((each) => each.includes('/auth/send/in'))!, /line \d+.*must be one of header, query, path/)
  assert.match(messages.find((each) => each.includes('/port'))!, /\/port in \/bad\/config\.json \(line 6\)/)
  assert.match(messages.find((each) => each.includes('/categori '))!, /there is no such entry/)
  assert.match(messages.find((each) => each.includes('/description'))!, /is missing/)
})

test('a folder that is not named after its service is told', () => {
  const { types, messages } = loadedWith((directory) =>
    directory.write('here/config.json', exampleConfig('there', 50_001)),
  )
  assert.deepEqual(types, ['good'])
  assert.deepEqual(messages, ['CF10003 The folder /here holds the service there.'])
})

test('SI-02 a port that two services have names both files; the first stays', () => {
  const { types, messages } = loadedWith((directory) => writeExample(directory, 'later', 50_000))
  assert.deepEqual(types, ['good'])
  assert.deepEqual(messages, ['CF10004 The port 50000 is used by /good/config.json and by /later/config.json.'])
})

test('a service that two directories have names both files', () => {
  using first = servicesDirectory()
  using second = servicesDirectory()
  writeExample(first, 'twice', 50_000)
  writeExample(second, 'twice', 50_001)
  const { services, findings } = loadServices([first.path, second.path])
  assert.equal(services.length, 1)
  assert.equal(services[0]!.config.port, 50_000)
  assert.match(findings[0]!.message, new RegExp(`${first.path}.*${second.path}`))
})

test('hand-written operations are checked like configurations; a folder without a config.json is told', () => {
  const { types, messages } = loadedWith((directory) => {
    directory.write('ops/config.json', exampleConfig('ops', 50_001))
    const [first] = exampleOperations.operations
    directory.write('ops/operations.json', { operations: [{ ...first, method: 'FETCH' }] })
    directory.write('empty/readme.txt', 'nothing')
  })
  assert.deepEqual(types, ['good'])
  assert.match(messages.join('\n'), /\/operations\/0\/method in \/ops\/operations\.json \(line 6\)/)
  assert.match(messages.join('\n'), /CF10006 .*\/empty\/config\.json/)
})

test('folders that are being written, and hidden ones, are no services', () => {
  const { types, messages } = loadedWith((directory) => {
    writeExample(directory, '.hidden', 50_001)
    writeExample(directory, 'half.partial', 50_002)
  })
  assert.deepEqual([types, messages], [['good'], []])
})

test('a directory that is not there has no services', () => {
  assert.deepEqual(loadServices(['/nowhere/at/all']), { services: [], findings: [] })
})
