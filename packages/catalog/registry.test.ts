import assert from 'node:assert/strict'
import { test } from 'node:test'
import { registryRowsOf } from './registry.ts'
import { exampleConfig } from './testing/services-directory.ts'

test('SI-03 a service is a row of the registry: its authentication apart, nothing lost, in the order of the types', () => {
  const auth = { type: 'api_key', label: 'Key', help: 'There.', send: { in: 'header', name: 'K' } }
  const [first, second] = registryRowsOf([
    exampleConfig('zeta', 50_001, { owner: '1a2b3c4d-0000-4000-8000-000000000001' }),
    exampleConfig('alpha', 50_000, { auth, healthCheckPath: '/ping', rateLimit: { requestsMax: 1, windowMs: 2 } }),
  ])
  assert.equal(second!.serviceType, 'zeta')
  assert.equal(second!.serviceConfig['owner'], '1a2b3c4d-0000-4000-8000-000000000001', 'row-level security reads it')
  assert.equal(second!.authType, 'none')
  assert.equal(second!.healthCheckEndpoint, '/')
  assert.deepEqual(first, {
    serviceType: 'alpha',
    name: 'alpha',
    displayName: 'alpha',
    description: 'A service called alpha for tests.',
    iconUrl: null,
    category: 'testing',
    port: 50_000,
    baseUrl: 'https://api.example.com',
    healthCheckEndpoint: '/ping',
    authType: 'api_key',
    authConfig: { label: 'Key', help: 'There.', send: { in: 'header', name: 'K' } },
    serviceConfig: {
      docsUrl: 'https://docs.example.com',
      source: { kind: 'operations' },
      tools: ['get_thing'],
      rateLimit: { requestsMax: 1, windowMs: 2 },
    },
  })
})
